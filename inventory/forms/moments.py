"""Moments and periods as people give them: a day and a time, days back on a slider, a day to close through."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.http import HttpRequest, QueryDict
from django.utils import timezone

from inventory.filters import Chip, LocationChoices, find_item, without
from inventory.models import Item, ItemCategory, ItemKind, Location
from inventory.operations.closing import end_of
from inventory.reads.moments import AsOf, Basis
from inventory.reads.valuation_report import ValuationQuestion

FORMATS = ["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"]
DAYS_BACK_MAX = 3_650


class _MomentValues(forms.Form):
    at = forms.DateTimeField(required=False, input_formats=FORMATS)
    basis = forms.ChoiceField(required=False, choices=Basis.choices)
    back = forms.IntegerField(required=False, min_value=0, max_value=DAYS_BACK_MAX)


@dataclass(frozen=True, slots=True)
class Moment:
    """The moment an address asks about. `at` is None for now; nothing lies in the future."""

    at: datetime | None
    basis: str

    @property
    def as_of(self) -> AsOf:
        return AsOf.at(self.at, self.basis)

    @property
    def is_believed(self) -> bool:
        return self.at is not None and self.basis == Basis.KNOWN_THEN

    @property
    def field_value(self) -> str:
        """As a date-time field of the browser wants it."""
        return "" if self.at is None else f"{timezone.localtime(self.at):%Y-%m-%dT%H:%M}"

    @property
    def days_back(self) -> int:
        return 0 if self.at is None else max((timezone.localdate() - timezone.localdate(self.at)).days, 0)


def moment_of(query: QueryDict) -> Moment:
    """The moment in an address. Values that say nothing are dropped; `back` counts days, to the end of that day."""
    form = _MomentValues(query)
    form.full_clean()
    values = form.cleaned_data
    basis = values.get("basis") or Basis.KNOWN_NOW
    if values.get("back"):
        return Moment(end_of(timezone.localdate() - timedelta(days=values["back"])), basis)
    at = values.get("at")
    return Moment(at if at is not None and at < timezone.now() else None, basis)


class _ValuationValues(forms.Form):
    q = forms.CharField(required=False, max_length=200)
    place = forms.IntegerField(required=False)
    category = forms.IntegerField(required=False)
    kind = forms.ChoiceField(required=False, choices=[("", ""), *ItemKind.choices])
    by = forms.ChoiceField(required=False, choices=[("category", ""), ("kind", ""), ("place", "")])
    after = forms.CharField(required=False, max_length=100)


class ValuationFilter:
    """What the valuation report is narrowed to. Values that do not exist are dropped."""

    def __init__(self, request: HttpRequest) -> None:
        form = _ValuationValues(request.GET)
        form.full_clean()
        values: dict[str, Any] = form.cleaned_data
        self.query = request.GET
        self.moment = moment_of(request.GET)
        self.categories = list(ItemCategory.objects.order_by("name"))
        self.places = LocationChoices()
        self.text: str = (values.get("q") or "").strip()
        self.place: Location | None = self.places.by_id.get(values.get("place") or 0)
        self.category = next((one for one in self.categories if one.pk == values.get("category")), None)
        self.kind: str = values.get("kind") or ""
        self.by: str = values.get("by") or "category"
        self.after: str = values.get("after") or ""

    def question(self) -> ValuationQuestion:
        return ValuationQuestion(
            moment=self.moment.as_of, text=self.text, kind=self.kind, category=self.category, place=self.place
        )

    def chips(self) -> list[Chip]:
        return [Chip(label, without(self.query, *names)) for names, label in self._set()]

    def _set(self) -> Iterator[tuple[tuple[str, ...], str]]:
        if self.moment.at is not None:
            words = "As then believed" if self.moment.is_believed else "As it was"
            yield ("at", "basis", "back"), f"{words} on {timezone.localtime(self.moment.at):%Y-%m-%d %H:%M}"
        if self.text:
            yield ("q",), f"“{self.text}”"
        if self.place:
            yield ("place",), f"Place: {self.place.code}"
        if self.category:
            yield ("category",), f"Category: {self.category.name}"
        if self.kind:
            yield ("kind",), f"Kind: {ItemKind(self.kind).label}"

    @property
    def clear_url(self) -> str:
        return without(self.query, "q", "place", "category", "kind", "at", "basis", "back")


class _ChangesValues(forms.Form):
    item = forms.CharField(required=False, max_length=200)
    first = forms.DateTimeField(required=False, input_formats=FORMATS)
    second = forms.DateTimeField(required=False, input_formats=FORMATS)
    basis = forms.ChoiceField(required=False, choices=Basis.choices)


class ChangesFilter:
    """Two moments to compare, the earlier first; from the start of the month to now unless they are given."""

    def __init__(self, request: HttpRequest) -> None:
        form = _ChangesValues(request.GET)
        form.full_clean()
        values: dict[str, Any] = form.cleaned_data
        now = timezone.now()
        month = timezone.make_aware(datetime.combine(timezone.localdate().replace(day=1), time.min))
        moments = sorted(min(moment, now) for moment in (values.get("first") or month, values.get("second") or now))
        self.first, self.second = moments
        self.is_until_now: bool = self.second == now
        self.basis: str = values.get("basis") or Basis.KNOWN_NOW
        self.item_text: str = (values.get("item") or "").strip()
        self.item: Item | None = find_item(self.item_text) if self.item_text else None


class ClosePeriodForm(forms.Form):
    """The day the books are to be closed through."""

    through = forms.DateField(
        label="Close through",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text="The last day of the period. Nothing that happened up to its end can be recorded any more.",
    )
    note = forms.CharField(label="Note", required=False, max_length=500)

    def clean_through(self) -> date:
        through: date = self.cleaned_data["through"]
        if through >= timezone.localdate():
            raise forms.ValidationError(f"{through} has not ended yet. Close through an earlier day.")
        return through
