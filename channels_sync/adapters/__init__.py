"""One package per channel. Everything outside speaks to them through `base` and `registry`."""
