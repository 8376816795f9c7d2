"""Acknowledged work survives kill -9 of any process. See docs/reliability.md."""
