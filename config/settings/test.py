"""For the test suite: quick passwords, no manifest of static files, tasks over the real broker only where a test asks."""

from config.settings.base import *  # noqa: F403
from config.settings.base import DATABASE_OWNER_URL, database

ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
DATABASES = {"default": database(DATABASE_OWNER_URL)}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WAKE_ON_STOCK_CHANGE = ""
AXES_ENABLED = False
API_REQUESTS_PER_MINUTE = 10_000_000
WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = True
"""Static files are served from where they lie; nothing is collected for a test run."""
