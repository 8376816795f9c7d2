"""One machine, embedded servers, plain http on loopback."""

from config.settings.base import *  # noqa: F403

DEBUG = ENVIRONMENT.debug
ALLOWED_HOSTS = ["*"] if DEBUG else [*ENVIRONMENT.allowed_hosts, "localhost", "127.0.0.1", "[::1]"]
WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = DEBUG or not STATIC_ROOT.is_dir()
"""Before the first `collectstatic`, which `make demo` does, static files are served from where they lie."""
