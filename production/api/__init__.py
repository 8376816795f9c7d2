"""The REST edge of production."""
