"""Clients of the REST API, one per role. Imported by the API tests of every app."""

import pytest

from tests.api.client import ApiClient


@pytest.fixture
def as_administrator(administrator):
    return ApiClient(administrator)


@pytest.fixture
def as_planner(planner):
    return ApiClient(planner)


@pytest.fixture
def as_operator(operator):
    return ApiClient(operator)


@pytest.fixture
def as_viewer(viewer):
    return ApiClient(viewer)


@pytest.fixture
def as_nobody(db):
    return ApiClient()
