import pytest
from django.test import Client
from django.urls import reverse

from inventory.models import SavedView
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def keep(client, page="board", **fields):
    return client.post(
        reverse("inventory:save_view"), {"page": page, "name": "Low", "query": "flag=low&rows=items&after=x", **fields}
    )


@pytest.mark.parametrize(("page", "url"), [("board", "/stock/"), ("ledger", "/stock/ledger/")])
def test_a_view_is_kept_and_stands_in_the_menu(as_operator, page, url):
    answer = keep(as_operator, page)

    assert answer.url == f"{url}?flag=low&rows=items"
    text = as_operator.get(answer.url).content.decode()
    assert f'href="{url}?flag=low&amp;rows=items"' in text
    assert as_operator.get(answer.url).context["views_current"].name == "Low"
    assert as_operator.get(url).context["views_current"] is None


def test_a_view_is_renamed_shared_and_deleted(as_planner, as_operator):
    keep(as_planner)
    view = SavedView.objects.get()

    as_planner.post(reverse("inventory:rename_view", args=[view.pk]), {"name": "Order these"})
    as_planner.post(reverse("inventory:share_view", args=[view.pk]), {"is_shared": "1"})

    assert [one.name for one in as_operator.get("/stock/").context["views_shared"]] == ["Order these"]
    as_planner.post(reverse("inventory:delete_view", args=[view.pk]))
    assert not SavedView.objects.exists()


def test_somebody_else_cannot_change_it_and_is_told_so(as_planner, as_operator):
    keep(as_planner, is_shared="1")
    view = SavedView.objects.get()

    for verb in ("rename_view", "share_view", "delete_view"):
        answer = as_operator.post(reverse(f"inventory:{verb}", args=[view.pk]), {"name": "Mine"}, follow=True)
        assert "somebody else" in answer.content.decode()

    assert SavedView.objects.get().name == "Low"


def test_sharing_without_the_privilege_is_refused_in_words(as_operator):
    answer = as_operator.post(
        reverse("inventory:save_view"), {"page": "board", "name": "Low", "query": "", "is_shared": "1"}, follow=True
    )

    assert "You may not share views" in answer.content.decode()
    assert not SavedView.objects.exists()


def test_a_table_that_is_none_is_not_found(as_operator):
    assert keep(as_operator, "nothing").status_code == 404


def test_whoever_sees_no_stock_keeps_no_views(db):
    client = Client()
    client.force_login(make_user(role="counter"))

    assert keep(client).status_code == 403
