"""One machine, embedded servers, plain http on loopback."""

from config.settings.base import *  # noqa: F403

DEBUG = ENVIRONMENT.debug
ALLOWED_HOSTS = ["*"] if DEBUG else [*ENVIRONMENT.allowed_hosts, "localhost", "127.0.0.1", "[::1]"]
