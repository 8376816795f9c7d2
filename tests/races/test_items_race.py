"""Two programs change one item at once, with real commits."""

import threading
from contextlib import suppress

import pytest
from django.db import connection

from inventory.api import resources
from inventory.models import Item
from tests.api.client import ApiClient
from tests.factories import make_item, make_user
from tests.races.test_completions_race import together

pytestmark = pytest.mark.race


def test_what_another_changed_meanwhile_stays_changed(committed_db, monkeypatch):
    """Fails when change_checked reads the item without select_for_update."""
    item = make_item(reorder_point=1, standard_cost=1)
    callers = [ApiClient(make_user(role="planner")) for _ in range(2)]
    both_have_read = threading.Barrier(2)
    check = resources.check_by_model

    def wait_for_the_other(instance):
        with suppress(threading.BrokenBarrierError):  # the second one waits for the first one's commit
            both_have_read.wait(timeout=1)
        check(instance)

    monkeypatch.setattr(resources, "check_by_model", wait_for_the_other)
    changes = [{"reorder_point": "7"}, {"standard_cost": "9"}]

    answers = together([lambda n=n: callers[n].patch(f"items/{item.pk}/", changes[n]).status_code for n in range(2)])

    assert answers == [200, 200]
    stored = Item.objects.get(pk=item.pk)
    assert (stored.reorder_point, stored.standard_cost) == (7, 9)
    connection.close()
