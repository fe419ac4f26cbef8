"""Networks in torch, one architecture per file."""
