"""The REST edge of channels."""
