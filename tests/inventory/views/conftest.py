import pytest
from django.test import Client


@pytest.fixture
def as_operator(client, operator):
    client.force_login(operator)
    return client


@pytest.fixture
def as_viewer(viewer):
    client = Client()
    client.force_login(viewer)
    return client


@pytest.fixture
def as_planner(planner):
    client = Client()
    client.force_login(planner)
    return client
