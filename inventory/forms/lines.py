"""Forms of several lines: a head, and as many items below it as one types; there is always an empty line to go on with."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django import forms
from django.core.exceptions import ValidationError

from inventory.filters import find_location
from inventory.forms.stock import Person, StockForm, lot_field, quantity_field, unit_field
from inventory.models import Location, StockStatus

LINES_MAX = 100
_LINE = re.compile(r"line-(\d{1,3})-(item|quantity)")


class LineForm(StockForm):
    """One line: an item, how much of it, and, for tracked items, from which lot."""

    key = None  # type: ignore[assignment]
    quantity = quantity_field()
    unit = unit_field()
    lot = lot_field()

    def __init__(self, *args: Any, user: Person, place: Location | None, **kwargs: Any) -> None:
        self._place = place
        super().__init__(*args, user=user, **kwargs)

    def typed(self, name: str) -> str:
        source: Mapping[str, Any] = self.data if self.is_bound else self.initial
        return str(source.get(self.add_prefix(name) if self.is_bound else name) or "").strip()

    def _shape(self) -> None:
        self.known_place = self._place
        super()._shape()
        if self.known_item is not None:
            self.free = sum((free for _, free in self._held(self.known_item)), Decimal(0))

    free = Decimal(0)
    """What could be taken at the place, in the item's stock unit."""

    def _focus(self) -> None:
        """The form as a whole decides."""

    @property
    def number(self) -> int:
        return int(str(self.prefix).partition("-")[2])

    @property
    def is_blank(self) -> bool:
        return not self.typed("item") and not self.typed("quantity")


class StatusLineForm(LineForm):
    """A line of goods of any status."""

    status = forms.ChoiceField(
        choices=StockStatus.choices,
        initial=StockStatus.AVAILABLE,
        widget=forms.Select(attrs={"data-refresh": ""}),
    )


class LinesForm(forms.Form):
    """A head with lines. `place_field` names the field of the head that the goods leave."""

    key = forms.UUIDField(widget=forms.HiddenInput)

    line_form: type[LineForm] = LineForm
    place_field = "location"
    focus_order: tuple[str, ...] = ("location",)

    def __init__(self, *args: Any, user: Person, prepared: Sequence[Mapping[str, Any]] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        if not self.is_bound:
            self.initial.setdefault("key", str(uuid4()))
        self.known_place = find_location(self.typed(self.place_field))
        if "effective_at" in self.fields and not user.has_perm("inventory.backdate_posting"):
            del self.fields["effective_at"]
        self.lines = self._typed_lines() if self.is_bound and not prepared else self._prepared(prepared)
        self.blank = self._line(self._next_number(), {})
        self._focus()

    def typed(self, name: str) -> str:
        source: Mapping[str, Any] = self.data if self.is_bound else self.initial
        return str(source.get(name) or "").strip()

    def _typed_lines(self) -> list[LineForm]:
        removed = self.typed("remove")
        numbers = sorted({int(found[1]) for name in self.data if (found := _LINE.fullmatch(name))})
        lines = [self._line(number, None) for number in numbers[: LINES_MAX + 1] if str(number) != removed]
        return [line for line in lines if not line.is_blank]

    def _prepared(self, prepared: Sequence[Mapping[str, Any]]) -> list[LineForm]:
        return [self._line(number, values) for number, values in enumerate(prepared)]

    def _line(self, number: int, values: Mapping[str, Any] | None) -> LineForm:
        """A line as posted, or with the given values."""
        prefix = f"line-{number}"
        if values is None:
            return self.line_form(self.data, prefix=prefix, user=self.user, place=self.known_place)
        return self.line_form(initial=dict(values), prefix=prefix, user=self.user, place=self.known_place)

    def _next_number(self) -> int:
        return max((line.number for line in self.lines), default=-1) + 1

    @property
    def shown_lines(self) -> list[LineForm]:
        return [*self.lines, self.blank] if len(self.lines) < LINES_MAX else self.lines

    def _focus(self) -> None:
        """Where the cursor goes: to what is missing in the head, then in the last line."""
        for name in self.focus_order:
            if name in self.fields and not self.typed(name):
                self.fields[name].widget.attrs["data-focus"] = ""
                return
        for line in self.shown_lines:
            for name in ("item", "quantity"):
                if not line.typed(name):
                    line.fields[name].widget.attrs["data-focus"] = ""
                    return

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if not self.lines:
            raise ValidationError("There is no line yet. Scan or type an item and how much of it.")
        if len(self.lines) > LINES_MAX:
            raise ValidationError(f"One form takes {LINES_MAX} lines. Record the rest with another one.")
        wrong = [line for line in self.lines if not line.is_valid()]
        if wrong:
            raise ValidationError([message for line in wrong for message in _messages(line)])
        if cleaned.get("effective_at") is None:
            cleaned.pop("effective_at", None)
        return cleaned


def _messages(line: LineForm) -> list[str]:
    name = line.typed("item") or f"Line {line.number + 1}"
    return [
        f"{name}: {message}" if field == "__all__" else f"{name}, {field.replace('_', ' ')}: {message}"
        for field, messages in line.errors.items()
        for message in messages
    ]
