"""Large changes over the REST API."""

import pytest

from channels_sync.models import WideChange
from channels_sync.operations.allocating import set_policy
from tests.channels_sync.wide import ITEMS, absorb_all, as_sent, make_company, wanted

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small_pieces")]


def test_a_large_change_is_read_as_one_plan_and_taken_back(as_administrator):
    shop, market, _ = make_company()
    as_sent()
    set_policy(percent=50, actor=None)
    absorb_all()
    wide = WideChange.objects.latest("pk")

    listed = as_administrator.get("large-changes/").json()["results"][0]
    plan = as_administrator.get(f"large-changes/{wide.pk}/").json()
    runs = as_administrator.get("publish-runs/", large_change_id=wide.pk).json()["results"]
    nothing = as_administrator.post(f"large-changes/{wide.pk}/approve/", {"typed": ""}, key=None)
    decided = as_administrator.post(
        f"large-changes/{wide.pk}/undo/", {"channel": shop.code, "reason": "meant 95"}, key=None
    )
    absorb_all()

    assert (listed["id"], listed["changed"], listed["waiting"], listed["left"]) == (wide.pk, 2 * ITEMS, 0, 0)
    assert {part["channel"]: part["lowered"] for part in plan["channels"]} == {shop.code: ITEMS, market.code: ITEMS}
    assert len(runs) == plan["runs"]
    assert {run["large_change_id"] for run in runs} == {wide.pk}
    assert nothing.status_code == 409
    assert decided.status_code == 202, decided.content
    assert (decided.json()["listings"], decided.json()["ended_at"]) == (ITEMS, None)
    after = as_administrator.get(f"large-changes/{wide.pk}/").json()["decisions"]
    assert [(one["verdict"], one["channel"], one["frozen"]) for one in after] == [("undo", shop.code, ITEMS)]
    assert after[0]["ended_at"] is not None
    assert wanted(market) == [5] * ITEMS
