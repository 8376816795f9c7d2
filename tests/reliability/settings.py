"""The product as `make demo` runs it, with the app that may shorten leases or break a promise on purpose."""

from config.settings.dev import *  # noqa: F403

API_REQUESTS_PER_MINUTE = 10_000_000
INSTALLED_APPS = ["tests.reliability", *INSTALLED_APPS]  # noqa: F405  first, so that its commands win
