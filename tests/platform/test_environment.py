"""What the settings read from the environment, and the messages when it does not do."""

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from config.env import REQUIRED_IN_PRODUCTION, VARIABLES, embedded_hint, read_environment

PRODUCTION = {
    "SECRET_KEY": "k" * 60,
    "FIELD_ENCRYPTION_KEYS": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "ALLOWED_HOSTS": "stock.example.com, backup.example.com",
    "DATABASE_URL": "postgresql://app:secret@db.example.com/backflush",
    "REDIS_URL": "redis://:secret@broker.example.com:6379/0",
}


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch, tmp_path):
    """Nothing set, no `.env`, an empty `var`."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("config.env.read_dotenv", lambda: None)
    monkeypatch.setenv("BACKFLUSH_VAR", str(tmp_path / "var"))


def set_production(monkeypatch, **changes: str | None) -> None:
    for name, value in {**PRODUCTION, **changes}.items():
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)


def test_reads_every_value_of_a_complete_production_environment(monkeypatch, tmp_path):
    set_production(
        monkeypatch, CSRF_TRUSTED_ORIGINS="https://stock.example.com", BASE_CURRENCY="EUR", TIME_ZONE="Europe/Vienna"
    )

    environment = read_environment(production=True)

    assert environment.debug is False
    assert environment.secret_key == "k" * 60
    assert environment.allowed_hosts == ("stock.example.com", "backup.example.com")
    assert environment.csrf_trusted_origins == ("https://stock.example.com",)
    assert environment.database_url == PRODUCTION["DATABASE_URL"]
    assert environment.database_owner_url == PRODUCTION["DATABASE_URL"]
    assert environment.redis_url == PRODUCTION["REDIS_URL"]
    assert (environment.base_currency, environment.time_zone, environment.log_level) == ("EUR", "Europe/Vienna", "INFO")
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize("name", REQUIRED_IN_PRODUCTION)
def test_a_missing_production_value_stops_the_start_with_its_name(monkeypatch, name):
    set_production(monkeypatch, **{name: None})

    with pytest.raises(ImproperlyConfigured, match=f"^Not set: {name}\\. .*{name}: "):
        read_environment(production=True)


def test_all_missing_production_values_are_named_at_once():
    with pytest.raises(ImproperlyConfigured) as refusal:
        read_environment(production=True)

    assert str(refusal.value).startswith(f"Not set: {', '.join(REQUIRED_IN_PRODUCTION)}. ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", "short"),
        ("FIELD_ENCRYPTION_KEYS", "not-a-key"),
        ("CSRF_TRUSTED_ORIGINS", "stock.example.com"),
        ("BASE_CURRENCY", "euro"),
        ("TIME_ZONE", "Europe/Atlantis"),
        ("LOG_LEVEL", "LOUD"),
        ("API_REQUESTS_PER_MINUTE", "many"),
        ("DEBUG", "true"),
    ],
)
def test_a_senseless_value_is_refused_with_the_name_of_its_variable(monkeypatch, name, value):
    set_production(monkeypatch, **{name: value})

    with pytest.raises(ImproperlyConfigured, match=f"^{name} is "):
        read_environment(production=True)


def test_on_a_developers_machine_secrets_are_made_once_and_kept_privately(tmp_path):
    first, second = read_environment(production=False), read_environment(production=False)

    assert first == second
    assert first.debug is False
    assert len(first.secret_key) >= 50
    assert Fernet(first.field_encryption_keys[0])
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "var").iterdir()}
    assert modes == {"secret_key": 0o600, "field_encryption_keys": 0o600, "embedded_secrets.json": 0o600}


def test_the_database_of_the_environment_wins_and_needs_no_hint(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://app:secret@db.example.com/backflush")
    monkeypatch.setenv("DATABASE_OWNER_URL", "postgresql://owner:secret@db.example.com/backflush")

    environment = read_environment(production=False)

    assert environment.database_url == "postgresql://app:secret@db.example.com/backflush"
    assert environment.database_owner_url == "postgresql://owner:secret@db.example.com/backflush"
    assert embedded_hint() is None


def test_an_embedded_database_that_does_not_run_gives_a_hint_and_an_address():
    environment = read_environment(production=False)

    assert environment.database_url.startswith("postgresql://backflush_app:")
    assert "make demo" in embedded_hint()
