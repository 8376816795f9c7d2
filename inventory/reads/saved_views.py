"""The views a person may choose among, and the columns they like."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Q
from django.http import QueryDict

from inventory.models import SavedView
from inventory.operations.saved_views import COLUMNS_OF


@dataclass(frozen=True, slots=True)
class Kept:
    """What a person keeps of one page: their own views, those others share, and columns (None: the usual ones)."""

    own: Sequence[SavedView]
    shared: Sequence[SavedView]
    columns: Sequence[str] | None


def kept_views(*, person: AbstractBaseUser | AnonymousUser, page: str) -> Kept:
    """Views and columns of a page for a person. One statement."""
    columns_of = COLUMNS_OF.format(page)
    own: list[SavedView] = []
    shared: list[SavedView] = []
    columns: list[str] | None = None
    mine = Q(owner_id=person.pk)
    for view in (
        SavedView.objects.filter(Q(page=page) & (mine | Q(is_shared=True)) | (Q(page=columns_of) & mine))
        .select_related("owner")
        .order_by("name", "pk")
    ):
        if view.page == columns_of:
            text = QueryDict(view.query).get("cols", "") or ""
            columns = text.split(",") if text else None
        elif view.owner_id == person.pk:
            own.append(view)
        else:
            shared.append(view)
    return Kept(own, shared, columns)
