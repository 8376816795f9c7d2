"""What `make check` and every start rely on."""

import os
import secrets
import subprocess
import sys

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command

from config.embedded.places import ROOT

PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "config.settings.prod",
    "DEBUG": "false",
    "ALLOWED_HOSTS": "stock.example.com",
    "CSRF_TRUSTED_ORIGINS": "https://stock.example.com",
}


def test_system_checks_need_no_database():
    """They also run before the first migration, on an empty database. This test has none: a query fails it."""
    call_command("check")


@pytest.mark.slow
def test_production_settings_are_fit_for_deployment():
    environment = {
        **{
            name: value for name, value in os.environ.items() if name != "DJANGO_ALLOW_ASYNC_UNSAFE"
        },  # of the browser's
        **PRODUCTION,
        "SECRET_KEY": secrets.token_urlsafe(64),
        "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
    }
    words = ["manage.py", "check", "--deploy", "--fail-level", "WARNING"]

    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout + done.stderr
