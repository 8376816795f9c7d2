"""What the list of changes can be narrowed to, read from the address so that every view of it can be shared."""

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils import timezone

from channels_sync.models import Channel
from config.audit.reading import SYSTEM, Cursor, Question
from config.audit.sources import LOG, kind_titles, sources
from inventory.filters import Chip, Option, find_item, find_location, without
from inventory.models import Supplier
from inventory.reads.item_ledger import name_of

PEOPLE_MAX = 500
_NAMES = ("kind", "q", "of", "person", "since", "until")


class _Values(forms.Form):
    kind = forms.CharField(required=False, max_length=100)
    q = forms.CharField(required=False, max_length=200)
    of = forms.CharField(required=False, max_length=120)
    person = forms.CharField(required=False, max_length=20)
    since = forms.DateField(required=False)
    until = forms.DateField(required=False)
    older = forms.CharField(required=False, max_length=120)
    newer = forms.CharField(required=False, max_length=120)


class AuditFilter:
    """The filters of the list of changes. Values that do not exist are dropped, so that an old address still works."""

    def __init__(self, request: HttpRequest) -> None:
        form = _Values(request.GET)
        form.full_clean()
        values: dict[str, Any] = form.cleaned_data
        self.query = request.GET
        self.kinds = kind_titles()
        kind = values.get("kind") or ""
        self.kind: str = kind if kind in dict(self.kinds) else ""
        self.text: str = (values.get("q") or "").strip()
        self.people = list(User.objects.order_by("username")[:PEOPLE_MAX])
        self.person: int | str | None = self._person(values.get("person") or "")
        self.since: date | None = values.get("since")
        self.until: date | None = values.get("until")
        self.older = Cursor.read(values.get("older") or "")
        self.newer = Cursor.read(values.get("newer") or "") if self.older is None else None
        self.thing, self.thing_name = self._thing(values.get("of") or "")
        self.is_unknown = bool(self.text) and self.thing is None

    def question(self) -> Question:
        return Question(
            kind=self.kind,
            thing=self.thing,
            person=self.person,
            since=_midnight(self.since),
            until=_midnight(self.until + timedelta(days=1)) if self.until else None,
            older_than=self.older,
            newer_than=self.newer,
        )

    def _person(self, text: str) -> int | str | None:
        if text == SYSTEM:
            return SYSTEM
        return next((user.pk for user in self.people if str(user.pk) == text), None)

    def _thing(self, of: str) -> tuple[tuple[str, int] | None, str]:
        """The object that was linked to, or the one whose code was typed: an item, a place, a channel, a supplier."""
        if self.text:
            return find_thing(self.text)
        found = re.fullmatch(r"([a-z_]+\.[a-z_]+):(\d{1,18})", of)
        source = sources().get(found[1]) if found else None
        if found is None or source is None:
            return None, ""
        row = source.model._default_manager.filter(pk=int(found[2])).first()
        return (source.key, int(found[2])), f"{source.title} {row if row is not None else found[2]}"

    def options(self) -> list[Option]:
        return [*(Option(str(user.pk), name_of(user)) for user in self.people), Option(SYSTEM, "The system")]

    @property
    def person_name(self) -> str:
        return next((one.label for one in self.options() if one.value == str(self.person)), "")

    def chips(self) -> list[Chip]:
        return [Chip(label, without(self.query, name, "older", "newer")) for name, label in self._set()]

    def _set(self) -> Iterator[tuple[str, str]]:
        if self.kind:
            yield "kind", f"Kind: {dict(self.kinds)[self.kind]}"
        if self.text:
            yield "q", self.thing_name if self.thing else f"“{self.text}” (not found)"
        elif self.thing:
            yield "of", self.thing_name
        if self.person is not None:
            yield "person", f"By {self.person_name}"
        if self.since:
            yield "since", f"From {self.since:%Y-%m-%d}"
        if self.until:
            yield "until", f"Until {self.until:%Y-%m-%d}"

    @property
    def clear_url(self) -> str:
        return without(self.query, *_NAMES, "older", "newer")

    @property
    def shows_log(self) -> bool:
        return self.kind == LOG


def find_thing(text: str) -> tuple[tuple[str, int] | None, str]:
    """What a person means by a code or name, and what it is called: an item, a place, a channel or a supplier."""
    item = find_item(text)
    if item is not None:
        return ("inventory.item", item.pk), f"Item {item.sku}"
    place = find_location(text)
    if place is not None:
        return ("inventory.location", place.pk), f"Location {place.code}"
    channel = Channel.objects.filter(code__iexact=text).first() or Channel.objects.filter(name__iexact=text).first()
    if channel is not None:
        return ("channels_sync.channel", channel.pk), f"Channel {channel.name}"
    supplier = Supplier.objects.filter(name__iexact=text).first()
    if supplier is not None:
        return ("inventory.supplier", supplier.pk), f"Supplier {supplier.name}"
    return None, ""


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else timezone.make_aware(datetime.combine(day, time.min))
