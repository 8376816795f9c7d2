"""The form by which stock gets other lots: what is taken of each lot, and which lots it becomes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.dateparse import parse_date

from inventory.errors import DomainError
from inventory.form_fields import LocationField
from inventory.forms.stock import StockForm, note_field, reason_field, when_field
from inventory.models import Lot, StockStatus
from inventory.operations.relabelling import NewLot
from inventory.operations.taking import LotQuantity
from inventory.quantities import from_text

LOT_REASONS = ("Tracked from now on", "Label was wrong", "Repacked", "Tanks were joined", "Part of it differs")
TARGETS_MIN, TARGETS_MAX = 2, 50
_TARGET = re.compile(r"target-(\d{1,2})-(?:code|quantity)")


@dataclass(slots=True)
class SourceRow:
    """A lot that is there, with what is typed beside it."""

    lot: Lot
    free: Decimal
    taken: str
    error: str = ""


@dataclass(slots=True)
class TargetRow:
    """A lot the goods get, as typed."""

    number: int
    code: str = ""
    quantity: str = ""
    expires_on: str = ""
    error: str = ""


class ChangeLotsForm(StockForm):
    location = LocationField(label="Where", help_text="What lies below this place is looked at too.")
    status = forms.ChoiceField(label="Status", choices=StockStatus.choices, initial=StockStatus.AVAILABLE)
    reason = reason_field(LOT_REASONS)
    effective_at = when_field()
    note = note_field()

    focus_order = ("item", "location")

    def _shape(self) -> None:
        super()._shape()
        item = self.known_item
        held = self._held(item) if item is not None and self.known_place is not None else []
        self.sources = [SourceRow(lot, free, self.typed(f"take-{lot.pk}")) for lot, free in held]
        typed: Mapping[str, Any] = self.data if self.is_bound else {}
        numbers = sorted({int(found[1]) for name in typed if (found := _TARGET.fullmatch(name))})
        rows = [self._target(number) for number in numbers[:TARGETS_MAX]]
        self.targets = [row for row in rows if row.code or row.quantity]
        first = max((row.number for row in rows), default=-1) + 1
        blanks = max(TARGETS_MIN - len(self.targets), 1)
        self.blanks = [TargetRow(number) for number in range(first, first + blanks)]

    def _target(self, number: int) -> TargetRow:
        names = ("code", "quantity", "expires_on")
        return TargetRow(number, *(self.typed(f"target-{number}-{name}") for name in names))

    @property
    def shown_targets(self) -> list[TargetRow]:
        return [*self.targets, *self.blanks]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        taken: list[LotQuantity] = []
        for source in self.sources:
            if source.taken:
                try:
                    taken.append((source.lot, from_text(source.taken)))
                except DomainError as error:
                    source.error = error.message
        new: list[NewLot] = []
        for row in self.targets:
            target = _read(row)
            if target is not None:
                new.append(target)
        if any(row.error for row in self.sources) or any(row.error for row in self.targets):
            self.add_error(None, "Some figures cannot be read; they are marked below.")
        elif self.known_item is not None and self.known_place is not None:
            if not taken:
                self.add_error(None, "Type how much is taken of at least one of the lots that are there.")
            if not new:
                self.add_error(None, "Name the lot the goods get.")
        return {**cleaned, "sources": taken, "targets": new}


def _read(row: TargetRow) -> NewLot | None:
    """What a row says; None after noting what is wrong with it."""
    expires_on: date | None = None
    if row.expires_on:
        try:
            expires_on = parse_date(row.expires_on)
        except ValueError:
            expires_on = None
        if expires_on is None:
            row.error = f"“{row.expires_on}” is not a day. Type it as year-month-day."
            return None
    try:
        quantity = from_text(row.quantity) if row.quantity else None
    except DomainError as error:
        row.error = error.message
        return None
    if not row.code:
        row.error = "Name the lot that gets this quantity."
        return None
    return NewLot(row.code[:64], quantity, expires_on)
