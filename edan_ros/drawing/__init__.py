"""Annotated images, text in images, the privacy filter, timeline strips, charts and pages."""
