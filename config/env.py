"""Typed reading of the environment. A missing production value stops the start, with its name.

The values come from the process environment, then from `.env` at the root of the checkout. On a developer's machine
secrets are made once and kept below `var`, readable by their owner only, and the embedded servers stand in for
DATABASE_URL and REDIS_URL. `VARIABLES` says what each variable means.
"""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import environ
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from config.embedded import postgres
from config.embedded.files import keep_once
from config.embedded.places import Places, read_dotenv
from config.embedded.servers import server_environment
from config.embedded.supervisor import running_supervisor
from inventory.whole_numbers import whole_number

VARIABLES = {
    "SECRET_KEY": "a long random text, at least 50 characters, that signs sessions",
    "FIELD_ENCRYPTION_KEYS": "Fernet keys separated by commas, newest first, that encrypt stored credentials; make one "
    'with `python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"`',
    "ALLOWED_HOSTS": "the host names people use, separated by commas, for example stock.example.com",
    "CSRF_TRUSTED_ORIGINS": "origins with their scheme, separated by commas, for example https://stock.example.com",
    "DATABASE_URL": "postgresql://backflush_app:password@host:5432/backflush, the role that web and worker use",
    "DATABASE_OWNER_URL": "the same database as the role that owns the tables, for `manage.py migrate`",
    "REDIS_URL": "redis://:password@host:6379/0, a Redis or Valkey that wakes the workers",
    "BASE_CURRENCY": "the ISO 4217 code of the currency stock is valued in; USD when not set",
    "TIME_ZONE": "the IANA name of the time zone of the company; UTC when not set",
    "API_REQUESTS_PER_MINUTE": "how many requests one user may send to the REST API in a minute, a whole number; 6000 when not "
    "set, 0 for as many as they like",
    "LOG_LEVEL": "DEBUG, INFO, WARNING, ERROR or CRITICAL; INFO when not set",
    "DEBUG": "true or false; false when not set, refused in production",
    "SANDBOX_SHOP_URL": "the address of the sandbox shop, set by the supervisor that starts it",
    "BACKFLUSH_VAR": "the directory of everything that changes, relative to the checkout; var when not set",
}
REQUIRED_IN_PRODUCTION = ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "ALLOWED_HOSTS", "DATABASE_URL", "REDIS_URL")
API_REQUESTS_PER_MINUTE = 6000
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
SECRET_KEY_CHARACTERS_MIN = 50
_DIGITS_MAX = 9


@dataclass(frozen=True, slots=True)
class Environment:
    """What the settings may know of the world outside. None where a value is not known."""

    debug: bool
    secret_key: str
    field_encryption_keys: tuple[str, ...]  # newest first
    allowed_hosts: tuple[str, ...]
    csrf_trusted_origins: tuple[str, ...]
    database_url: str
    database_owner_url: str | None  # None: the same role as database_url
    redis_url: str | None  # None: the embedded broker has never been started
    base_currency: str
    time_zone: str
    api_requests_per_minute: int  # per user; 0: no limit
    log_level: str
    sandbox_shop_url: str | None
    var_dir: Path


def read_environment(*, production: bool | None = None) -> Environment:
    """The environment, checked. `production` is by default true for the settings module `config.settings.prod`.

    Raises ImproperlyConfigured, with the name of the variable and what to set, for a missing or senseless value.
    """
    read_dotenv()
    if production is None:
        production = os.environ.get("DJANGO_SETTINGS_MODULE", "").endswith(".prod")
    env = environ.Env()
    if production:
        _require(env)
    places = Places.here()
    servers = server_environment(places)
    return Environment(
        debug=_debug(env, production=production),
        secret_key=_secret_key(env, places=places, production=production),
        field_encryption_keys=_field_encryption_keys(env, places=places),
        allowed_hosts=_words(env, "ALLOWED_HOSTS"),
        csrf_trusted_origins=_origins(env),
        database_url=servers.get("DATABASE_URL") or _address_before_first_start(places),
        database_owner_url=servers.get("DATABASE_OWNER_URL"),
        redis_url=servers.get("REDIS_URL"),
        base_currency=_base_currency(env),
        time_zone=_time_zone(env),
        api_requests_per_minute=_api_requests_per_minute(env),
        log_level=_log_level(env),
        sandbox_shop_url=env.str("SANDBOX_SHOP_URL", default="").rstrip("/") or None,
        var_dir=places.var,
    )


def embedded_hint() -> str | None:
    """What to tell a person whose command found no database; None when a database of their own is set or ours runs."""
    read_dotenv()
    if os.environ.get("DATABASE_URL"):
        return None
    known = running_supervisor(Places.here())
    if known is not None and known["servers_ready"]:
        return None
    return (
        "The embedded database is not running. Start everything with `make demo`, or only the servers around this "
        "command with `python -m config.embedded run -- <command>`, or set DATABASE_URL to your own PostgreSQL."
    )


def _require(env: environ.Env) -> None:
    missing = [name for name in REQUIRED_IN_PRODUCTION if not env.str(name, default="").strip()]
    if missing:
        what = "; ".join(f"{name}: {VARIABLES[name]}" for name in missing)
        raise ImproperlyConfigured(f"Not set: {', '.join(missing)}. Set in the environment or in .env: {what}.")


def _refuse(name: str, found: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{name} is {found}. Set it to {VARIABLES[name]}.")


def _debug(env: environ.Env, *, production: bool) -> bool:
    debug = bool(env.bool("DEBUG", default=False))
    if debug and production:
        raise _refuse("DEBUG", "true, which shows the insides of the program to everybody")
    return debug


def _secret_key(env: environ.Env, *, places: Places, production: bool) -> str:
    key = str(env.str("SECRET_KEY", default="")).strip()
    if production and len(key) < SECRET_KEY_CHARACTERS_MIN:
        raise _refuse("SECRET_KEY", f"only {len(key)} characters long")
    return key or keep_once(path=places.var / "secret_key", text=secrets.token_urlsafe(64)).strip()


def _field_encryption_keys(env: environ.Env, *, places: Places) -> tuple[str, ...]:
    keys = _words(env, "FIELD_ENCRYPTION_KEYS")
    if not keys:
        kept = keep_once(path=places.var / "field_encryption_keys", text=Fernet.generate_key().decode())
        keys = tuple(word.strip() for word in kept.split(",") if word.strip())
    for position, key in enumerate(keys, start=1):
        try:
            Fernet(key)
        except ValueError as error:
            raise _refuse("FIELD_ENCRYPTION_KEYS", f"not usable: key {position} is no Fernet key") from error
    return keys


def _origins(env: environ.Env) -> tuple[str, ...]:
    origins = _words(env, "CSRF_TRUSTED_ORIGINS")
    for origin in origins:
        if not origin.startswith(("https://", "http://")):
            raise _refuse("CSRF_TRUSTED_ORIGINS", f"not usable: {origin!r} has no scheme")
    return origins


def _base_currency(env: environ.Env) -> str:
    code = str(env.str("BASE_CURRENCY", default="")).strip() or "USD"
    if not (len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()):
        raise _refuse("BASE_CURRENCY", repr(code))
    return code


def _time_zone(env: environ.Env) -> str:
    name = str(env.str("TIME_ZONE", default="")).strip() or "UTC"
    if name not in available_timezones():
        raise _refuse("TIME_ZONE", repr(name))
    return ZoneInfo(name).key


def _api_requests_per_minute(env: environ.Env) -> int:
    given = str(env.str("API_REQUESTS_PER_MINUTE", default="")).strip()
    if not given:
        return API_REQUESTS_PER_MINUTE
    requests = whole_number(given, digits_max=_DIGITS_MAX)
    if requests is None:
        raise _refuse("API_REQUESTS_PER_MINUTE", repr(given))
    return requests


def _log_level(env: environ.Env) -> str:
    level = (str(env.str("LOG_LEVEL", default="")).strip() or "INFO").upper()
    if level not in LOG_LEVELS:
        raise _refuse("LOG_LEVEL", repr(level))
    return level


def _words(env: environ.Env, name: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in str(env.str(name, default="")).split(",") if word.strip())


def _address_before_first_start(places: Places) -> str:
    """Where the embedded database would be. Settings can be loaded without it; a query fails with its usual error."""
    directory = str(places.socket_directory(server_uid=os.getuid()))
    return postgres.urls(location_state={"socket_directory": directory}, passwords=places.passwords)["DATABASE_URL"]
