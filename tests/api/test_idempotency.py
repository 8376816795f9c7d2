"""Requests that are sent again: one effect, one answer."""

import json
import os
import random
import threading
from collections import Counter
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connections
from django.test import Client

from inventory.api.idempotency import forget_replies
from inventory.models import Posting, StoredReply
from production.models import WorkOrder
from tests.api.client import ApiClient
from tests.conftest import broken_invariants
from tests.factories import make_item, make_location, make_user, on_hand, put_on_hand
from tests.production.factories import make_bom

REQUESTS = int(os.environ.get("F6_REQUESTS", "1000"))
"""The full size is 10,000."""
KEYS = REQUESTS // 5
THREADS = 4


@pytest.fixture
def place(db):
    make_item(sku="A")
    return make_location(code="L")


def receipt(quantity="1"):
    return {"lines": [{"item": "A", "location": "L", "quantity": quantity}]}


@pytest.mark.django_db
def test_same_request_in_other_white_space_is_the_same(place, as_operator):
    key = uuid4()
    first = as_operator.post("receipts/", receipt(), key=key)

    second = as_operator.post("receipts/", key=key, raw=json.dumps(receipt(), indent=4))

    assert second.json() == first.json()
    assert second.headers["Idempotency-Replayed"] == "true"
    assert Posting.objects.count() == 1


@pytest.mark.django_db
def test_other_body_address_or_user_is_refused(place, as_operator, as_planner):
    key = uuid4()
    as_operator.post("receipts/", receipt(), key=key)

    answers = [
        as_operator.post("receipts/", receipt("2"), key=key),
        as_operator.post("issues/", {"item": "A", "location": "L", "quantity": "1"}, key=key),
        as_planner.post("receipts/", receipt(), key=key),
    ]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(409, "IDEMPOTENCY_MISMATCH")] * 3
    assert Posting.objects.count() == 1


@pytest.mark.django_db
def test_refused_request_leaves_no_trace(place, as_operator):
    key = uuid4()

    refused = as_operator.post("issues/", {"item": "A", "location": "L", "quantity": "1"}, key=key)

    assert refused.status_code == 409
    assert StoredReply.objects.count() == Posting.objects.count() == 0
    assert as_operator.post("receipts/", receipt(), key=key).status_code == 201


@pytest.mark.django_db
def test_answer_is_kept_although_a_name_has_changed_since(place, as_operator):
    key = uuid4()
    first = as_operator.post("receipts/", receipt(), key=key)
    place.code = "RENAMED"
    place.save()

    again = as_operator.post("receipts/", receipt(), key=key)

    assert again.json() == first.json()
    assert again.json()["movements"][0]["location"] == "L"


@pytest.mark.django_db
def test_work_orders_and_reservations_are_made_once_too(as_planner):
    part, product, place = make_item(), make_item(sku="P"), make_location(code="L")
    make_bom(item=product, lines=[(part, "1")])
    put_on_hand(product, place, "5")
    key, other = uuid4(), uuid4()

    orders = [
        as_planner.post("work-orders/", {"item": "P", "planned": "3", "output_location": "L"}, key=key) for _ in "12"
    ]
    body = {"item": "P", "location": "L", "quantity": "2", "demand_kind": "order", "demand_ref": "7", "is_pinned": True}
    promises = [as_planner.post("reservations/", body, key=other) for _ in "12"]

    assert [answer.status_code for answer in (*orders, *promises)] == [201] * 4
    assert orders[0].json() == orders[1].json()
    assert promises[0].json() == promises[1].json()
    assert WorkOrder.objects.count() == 1
    assert product.reservations.count() == 1


@pytest.mark.django_db
def test_after_the_answer_was_forgotten_the_ledger_still_knows_the_key(place, as_operator):
    from django.utils import timezone

    key = uuid4()
    first = as_operator.post("receipts/", receipt(), key=key)
    assert forget_replies(before=timezone.now()) == 1

    again = as_operator.post("receipts/", receipt(), key=key)

    assert again.json() == first.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert Posting.objects.count() == 1


@pytest.mark.race
def test_rivals_in_flight_wait_and_get_the_same_answer(committed_db):
    """Nothing but the claim makes a work order repeatable; it fails when `_claim` always says yes."""
    part, product = make_item(), make_item(sku="P")
    make_location(code="L")
    make_bom(item=product, lines=[(part, "1")])
    caller, key = ApiClient(make_user(role="planner")), uuid4()
    body = {"item": "P", "planned": "3", "output_location": "L"}
    barrier = threading.Barrier(THREADS)
    answers = []

    def send():
        client = ApiClientCopy(caller)
        barrier.wait()
        answers.append(client.post("work-orders/", body, key=key))
        connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [answer.status_code for answer in answers] == [201] * THREADS
    assert Counter(answer.headers.get("Idempotency-Replayed") for answer in answers) == {"true": THREADS - 1, None: 1}
    assert all(answer.json() == answers[0].json() for answer in answers)
    assert WorkOrder.objects.count() == 1


@pytest.mark.race
def test_many_repeated_requests_have_one_effect_per_key(committed_db):
    """F6: REQUESTS requests for KEYS keys by THREADS clients, some of them with another body under a used key."""
    item, place = make_item(sku="A"), make_location(code="L")
    caller = ApiClient(make_user(role="operator"))
    keys = [uuid4() for _ in range(KEYS)]
    chance = random.Random(6)
    work = [keys[number % KEYS] for number in range(REQUESTS)]
    chance.shuffle(work)
    changed = {number for number in range(REQUESTS) if chance.random() < 0.1}
    answers = [None] * REQUESTS

    def run(share):
        client = ApiClientCopy(caller)
        for number in share:
            quantity = "2" if number in changed else "1"
            answers[number] = client.post("receipts/", receipt(quantity), key=work[number])
        connections.close_all()

    threads = [threading.Thread(target=run, args=(range(n, REQUESTS, THREADS),)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    by_key = {key: [answers[n] for n in range(REQUESTS) if work[n] == key] for key in keys}
    for found in by_key.values():
        good = [answer for answer in found if answer.status_code == 201]
        bad = [answer for answer in found if answer.status_code != 201]
        assert good
        assert all(answer.json() == good[0].json() for answer in good)
        assert sum("Idempotency-Replayed" not in answer.headers for answer in good) == 1
        assert all((answer.status_code, answer.json()["code"]) == (409, "IDEMPOTENCY_MISMATCH") for answer in bad)
    assert Posting.objects.count() == StoredReply.objects.count() == KEYS
    assert on_hand(item, location=place) == sum(
        int(next(a for a in found if a.status_code == 201).json()["movements"][0]["quantity"])
        for found in by_key.values()
    )
    assert broken_invariants() == []


class ApiClientCopy(ApiClient):
    """The same caller in another thread."""

    def __init__(self, original):
        self.client = Client()
        self.headers = original.headers


@pytest.mark.django_db
def test_answers_are_forgotten_every_night_after_thirty_days(place, as_operator):
    from django.utils import timezone
    from django_celery_beat.models import PeriodicTask

    from inventory import tasks

    for days in (31, 29):
        as_operator.post("receipts/", receipt(), key=uuid4())
        newest = StoredReply.objects.latest("pk")
        StoredReply.objects.filter(pk=newest.pk).update(recorded_at=timezone.now() - timedelta(days=days))

    assert tasks.forget_old_answers() == 1
    assert tasks.forget_old_answers() == 0

    assert StoredReply.objects.count() == 1
    assert PeriodicTask.objects.get(task=tasks.forget_old_answers.name).crontab.hour == "2"
