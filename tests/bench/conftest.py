"""What tests of the measurements share."""

import os

import pytest
from django.db import connections

from tests.conftest import committed_clone


@pytest.fixture
def bench_environment(django_db_setup, django_db_blocker):
    """The environment of a measurement in a process of its own, whose databases are copies of the migrated test database."""
    with committed_clone(django_db_blocker) as template:
        connections["default"].close()
        environment = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
        yield environment | {"BENCH_TEMPLATE": template}
