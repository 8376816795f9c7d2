"""A client that runs wild is told to wait; a counter that is away stops nobody."""

import pytest
from redis.exceptions import ConnectionError as NotReachable

from config import throttling
from inventory.models import Item

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock(monkeypatch):
    """Seconds that stand still until a test moves them; counted from a minute nobody else counts in."""
    seconds = {"now": 32_503_680_000.0}
    monkeypatch.setattr(throttling, "time", lambda: seconds["now"])
    monkeypatch.setattr(throttling, "_allowance", throttling._Allowance())
    return seconds


@pytest.fixture(autouse=True)
def nothing_counted(clock):
    def forget():
        minute = int(clock["now"] // 60)
        for key in counted:
            throttling._counter().delete(*(f"{key}:{minute + one}" for one in range(-1, 2)))

    counted = set()
    yield counted
    forget()


@pytest.fixture
def three_a_minute(settings, nothing_counted, as_viewer, as_planner, viewer, planner):
    settings.API_REQUESTS_PER_MINUTE = 3
    nothing_counted.update(f"backflush:api-requests:{user.pk}" for user in (viewer, planner))


def codes(client, times):
    return [client.get("items/").status_code for _ in range(times)]


def test_the_fourth_of_three_is_refused_until_the_minute_is_over(three_a_minute, as_viewer, clock):
    clock["now"] += 18.0

    assert codes(as_viewer, 4) == [200, 200, 200, 429]
    refusal = as_viewer.get("items/")
    body = refusal.json()
    assert body["code"] == "THROTTLED"
    assert body["context"] == {"requests_per_minute": 3, "retry_after_seconds": 42}
    assert "go on in 42 s" in body["detail"]
    assert refusal.headers["Retry-After"] == "42"

    clock["now"] += 42.0
    assert codes(as_viewer, 1) == [200]


def test_each_user_has_a_count_of_its_own(three_a_minute, as_viewer, as_planner):
    assert codes(as_viewer, 4)[-1] == 429

    assert codes(as_planner, 3) == [200, 200, 200]


def test_processes_share_the_count_and_most_requests_ask_nobody(
    as_viewer, viewer, settings, nothing_counted, monkeypatch
):
    settings.API_REQUESTS_PER_MINUTE = 1_000
    nothing_counted.add(f"backflush:api-requests:{viewer.pk}")
    asked = []
    real = throttling._counter().incrby
    monkeypatch.setattr(throttling._counter(), "incrby", lambda *given: asked.append(1) or real(*given))
    one, other = throttling._Allowance(), throttling._Allowance()
    minute = int(throttling.time() // 60)

    passed = sum(
        process.take(user_id=viewer.pk, minute=minute, limit=1_000) for _ in range(600) for process in (one, other)
    )

    assert passed == 1_000
    assert len(asked) <= 1_000 / 5 + 200  # five at a time, then one try for each that is refused


def test_a_refused_request_does_nothing_and_its_key_may_be_used_again(three_a_minute, as_planner, clock):
    key = "6a1f4c5e-1111-4a5b-8c6d-000000000001"
    codes(as_planner, 3)
    item = {"sku": "THROTTLED-1", "name": "Wick", "stock_unit": "pcs"}

    assert as_planner.post("items/", item, key=key).status_code == 429
    assert not Item.objects.filter(sku="THROTTLED-1").exists()

    clock["now"] += 60.0
    assert as_planner.post("items/", item, key=key).status_code == 201


def test_nought_is_no_limit(three_a_minute, as_viewer, settings):
    settings.API_REQUESTS_PER_MINUTE = 0

    assert codes(as_viewer, 5) == [200] * 5


def test_without_the_counter_nobody_is_refused_and_it_is_left_alone_for_a_while(
    three_a_minute, as_viewer, monkeypatch, caplog
):
    asked = []

    def away(*_, **__):
        asked.append(1)
        raise NotReachable("Connection refused.")

    monkeypatch.setattr(throttling._counter(), "incrby", away)

    assert codes(as_viewer, 5) == [200] * 5
    assert len(asked) == 1
    assert "api.requests_not_counted" in caplog.text


def test_the_document_declares_it(as_administrator):
    document = as_administrator.get("schema/").json()

    for path in document["paths"].values():
        for operation in path.values():
            assert "429" in operation["responses"]
