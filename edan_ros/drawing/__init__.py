"""Annotated images, the privacy filter and timeline strips."""
