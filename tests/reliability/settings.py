"""The product as `make demo` runs it, with the app that may shorten leases or break a promise on purpose."""

from config.settings.dev import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.reliability"]  # noqa: F405
