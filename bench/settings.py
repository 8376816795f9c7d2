"""As in production, but over plain http on loopback: no debugging, prepared statements, the application's own role."""

from config.settings.base import *  # noqa: F403

DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "bench.urls"
API_REQUESTS_PER_MINUTE = 10_000_000
"""Counted as in production, refused never."""
STORAGES = {
    **STORAGES,  # noqa: F405
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}  # pages are measured where nothing was collected
