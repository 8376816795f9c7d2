"""Keeping filters, columns and order of a table under a name, and the columns a person likes."""

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.http import QueryDict

from inventory.errors import WrongState
from inventory.models import SavedView
from inventory.operations.transactions import operation

NAME_MAX, QUERY_MAX = 60, 2000
VIEWS_MAX = 100
"""Views one person keeps of one table."""
NOT_KEPT = ("before", "after", "page", "export", "view")
COLUMNS_OF = "{}-columns"
"""The page name under which the columns of a page are remembered, by the page's name."""
Person = AbstractBaseUser | AnonymousUser


@operation
def save_view(*, owner: Person, page: str, name: str, query: str, is_shared: bool = False) -> SavedView:
    """Keep the query of a page under a name; one's own view of that name is replaced.

    Where one is in the list is not kept. Raises WrongState without a name, for too long a query, or to share without the
    privilege.
    """
    wanted = _checked_name(name)
    kept = _kept(query)
    if is_shared:
        _check_sharing(owner)
    own = SavedView.objects.select_for_update(of=("self",), no_key=True).filter(owner_id=owner.pk, page=page)
    known = own.filter(name__iexact=wanted).first()
    if known is not None:
        known.name, known.query, known.is_shared = wanted, kept, is_shared
        known.save()
        return known
    if own.count() >= VIEWS_MAX:
        raise WrongState(f"You keep {VIEWS_MAX} views of this table already. Delete one before you keep another.")
    assert owner.pk is not None, "only somebody who signed in keeps views"
    return SavedView.objects.create(owner_id=owner.pk, page=page, name=wanted, query=kept, is_shared=is_shared)


@operation
def rename_view(*, view: SavedView, name: str, actor: Person) -> SavedView:
    """Give a view of one's own another name. Raises WrongState when it is taken or the view is somebody else's."""
    own = _own(view, actor)
    wanted = _checked_name(name)
    others = SavedView.objects.filter(owner_id=own.owner_id, page=own.page, name__iexact=wanted).exclude(pk=own.pk)
    if others.exists():
        raise WrongState(f"You have a view called “{wanted}” already. Choose another name, or delete that one first.")
    own.name = wanted
    own.save(update_fields=["name"])
    return own


@operation
def share_view(*, view: SavedView, is_shared: bool, actor: Person) -> SavedView:
    """Show a view of one's own to everybody, or to oneself alone again. Raises WrongState without the privilege."""
    own = _own(view, actor)
    if is_shared:
        _check_sharing(actor)
    own.is_shared = is_shared
    own.save(update_fields=["is_shared"])
    return own


@operation
def delete_view(*, view: SavedView, actor: Person) -> None:
    """Forget a view of one's own. Raises WrongState when it is somebody else's."""
    _own(view, actor).delete()


@operation
def remember_columns(*, owner: Person, page: str, columns: list[str]) -> None:
    """Keep which columns a person wants on a page; none: the usual ones."""
    query = QueryDict(mutable=True)
    query["cols"] = ",".join(columns)
    SavedView.objects.update_or_create(
        owner_id=owner.pk,
        page=COLUMNS_OF.format(page),
        name="Columns",
        defaults={"query": query.urlencode() if columns else "", "is_shared": False},
    )


def _checked_name(name: str) -> str:
    wanted = " ".join(name.split())
    if not wanted or len(wanted) > NAME_MAX:
        raise WrongState(f"A view needs a name of 1 to {NAME_MAX} characters; this one has {len(wanted)}. Type one.")
    return wanted


def _kept(query: str) -> str:
    values = QueryDict(query.removeprefix("?"), mutable=True)
    for name in NOT_KEPT:
        values.pop(name, None)
    kept = values.urlencode()
    if len(kept) > QUERY_MAX:
        raise WrongState(f"These filters take {len(kept)} characters, a view keeps {QUERY_MAX}. Use fewer of them.")
    return kept


def _check_sharing(person: Person) -> None:
    if not person.has_perm("inventory.share_savedview"):  # type: ignore[union-attr]
        raise WrongState("You may not share views with everybody. Keep it for yourself, or ask somebody who may.")


def _own(view: SavedView, actor: Person) -> SavedView:
    own = SavedView.objects.select_for_update(of=("self",), no_key=True).get(pk=view.pk)
    if own.owner_id != actor.pk:
        raise WrongState(f"“{own.name}” is somebody else's view. Keep a copy under a name of your own and change that.")
    return own
