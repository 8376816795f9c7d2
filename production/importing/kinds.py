"""The tables of production that can be imported."""
