"""Forms of selling."""
