import pytest

from inventory.errors import WrongState
from inventory.models import SavedView
from inventory.operations.saved_views import delete_view, remember_columns, rename_view, save_view, share_view
from inventory.reads.saved_views import kept_views

pytestmark = pytest.mark.django_db


def keep(owner, name="Low stock", query="flag=low&sort=-value", **fields):
    return save_view(owner=owner, page="board", name=name, query=query, **fields)


def test_keeps_filters_and_order_but_not_where_one_was_in_the_list(operator):
    view = keep(operator, query="flag=low&cols=on_hand%2Cvalue&after=abc&export=csv")

    assert view.query == "flag=low&cols=on_hand%2Cvalue"


def test_ones_own_view_of_the_same_name_is_replaced(operator):
    keep(operator)

    keep(operator, name="LOW stock", query="flag=soon")

    assert list(SavedView.objects.values_list("name", "query")) == [("LOW stock", "flag=soon")]


def test_others_see_a_view_once_it_is_shared(operator, planner):
    view = keep(planner)
    assert kept_views(person=operator, page="board").shared == []

    share_view(view=view, is_shared=True, actor=planner)

    kept = kept_views(person=operator, page="board")
    assert ([one.name for one in kept.shared], kept.own) == (["Low stock"], [])
    assert kept_views(person=operator, page="ledger").shared == []


def test_sharing_needs_the_privilege(operator):
    view = keep(operator)

    with pytest.raises(WrongState):
        share_view(view=view, is_shared=True, actor=operator)
    with pytest.raises(WrongState):
        keep(operator, name="Other", is_shared=True)

    assert list(SavedView.objects.values_list("name", "is_shared")) == [("Low stock", False)]


def test_only_the_owner_changes_a_view(operator, planner):
    view = keep(planner, is_shared=True)

    for change in (
        lambda: rename_view(view=view, name="Mine", actor=operator),
        lambda: share_view(view=view, is_shared=False, actor=operator),
        lambda: delete_view(view=view, actor=operator),
    ):
        with pytest.raises(WrongState):
            change()

    assert list(SavedView.objects.values_list("name", "is_shared")) == [("Low stock", True)]


def test_a_name_is_taken_once(operator):
    keep(operator, name="One")
    other = keep(operator, name="Other")

    with pytest.raises(WrongState):
        rename_view(view=other, name="ONE", actor=operator)

    other.refresh_from_db()
    assert other.name == "Other"


@pytest.mark.parametrize("name", ["", "   ", "x" * 61])
def test_a_name_is_needed(operator, name):
    with pytest.raises(WrongState):
        keep(operator, name=name)

    assert not SavedView.objects.exists()


def test_columns_are_remembered_for_one_person_and_forgotten(operator, planner):
    remember_columns(owner=operator, page="board", columns=["on_hand", "value"])

    assert kept_views(person=operator, page="board").columns == ["on_hand", "value"]
    assert kept_views(person=planner, page="board").columns is None
    remember_columns(owner=operator, page="board", columns=[])
    assert kept_views(person=operator, page="board").columns is None
