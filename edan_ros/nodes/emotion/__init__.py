"""The emotion node."""
