"""What is tried out keeps nothing, and is repeated when the database asks for it."""

import pytest
from django.db import OperationalError

from inventory.errors import WrongState
from inventory.models import Item
from inventory.operations.transactions import ATTEMPTS_MAX, try_out
from tests.factories import make_item


class Deadlock(Exception):
    sqlstate = "40P01"


class ServerGone(Exception):
    sqlstate = "57P01"


def failing(times, cause, made):
    """Work that makes an item, and fails so often after it."""

    def work():
        made.append(make_item(sku="TRIED"))
        if len(made) <= times:
            raise OperationalError("again") from cause
        return made[-1].sku

    return work


def test_what_is_tried_out_is_seen_and_not_kept(db):
    assert try_out(lambda: (make_item(sku="TRIED").sku, Item.objects.filter(sku="TRIED").count())) == ("TRIED", 1)
    assert not Item.objects.filter(sku="TRIED").exists()


def test_a_deadlock_while_trying_out_is_tried_again(committed_db):
    made = []

    assert try_out(failing(2, Deadlock(), made)) == "TRIED"

    assert (len(made), Item.objects.filter(sku="TRIED").count()) == (3, 0)


def test_trying_out_ends_after_five_deadlocks_and_at_once_for_anything_else(committed_db):
    many, one = [], []

    with pytest.raises(OperationalError):
        try_out(failing(99, Deadlock(), many))
    with pytest.raises(OperationalError):
        try_out(failing(99, ServerGone(), one))

    assert (len(many), len(one)) == (ATTEMPTS_MAX, 1)


def test_a_refusal_while_trying_out_comes_through(db):
    def refuse():
        make_item(sku="TRIED")
        raise WrongState("No.")

    with pytest.raises(WrongState):
        try_out(refuse)
    assert not Item.objects.filter(sku="TRIED").exists()
