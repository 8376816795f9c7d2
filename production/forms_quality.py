"""Forms of inspecting: what was found and decided about goods on hold, and the plan that says what to look at."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django import forms
from django.core.exceptions import ValidationError
from django.forms import BoundField

from inventory.form_fields import FigureField, ItemField, TextWithAnswers
from inventory.quantities import ZERO, as_text
from production.inspection import Finding, samples_of
from production.models import CheckKind, Disposition, InspectionCheck, InspectionPlan
from production.operations.inspecting import Outcome
from production.operations.inspection_plans import CHECKS_MAX, CheckSpec
from production.reads.held_goods import HeldGoods

FAIL_REASONS = ("Wrong size", "Damaged", "Wrong colour or finish", "Contaminated", "Label wrong or missing", "Leaks")
REWORK_REASONS = ("Label crooked", "To be cleaned", "To be reassembled", "To be packed again")
OK_CHOICES = (("yes", "Passes"), ("no", "Fails"))
BLANK_ROWS = 3


@dataclass(frozen=True, slots=True)
class CheckFields:
    """One check with its fields: a measurement has one for each sample."""

    check: InspectionCheck
    fields: list[BoundField]


class VerdictForm(forms.Form):
    """What was found by each check, and how much of the held goods passes and fails."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    release = FigureField(label="Passes, release", required=False)
    scrap = FigureField(label="Scrap", required=False)
    scrap_reason = forms.CharField(
        label="Why scrap", required=False, max_length=100, widget=TextWithAnswers(FAIL_REASONS)
    )
    rework = FigureField(label="Rework", required=False)
    rework_reason = forms.CharField(
        label="Why rework", required=False, max_length=100, widget=TextWithAnswers(REWORK_REASONS)
    )
    quarantine = FigureField(label="Quarantine", required=False)
    quarantine_reason = forms.CharField(
        label="Why quarantine", required=False, max_length=100, widget=TextWithAnswers(FAIL_REASONS)
    )
    note = forms.CharField(
        label="Note", required=False, max_length=500, widget=forms.Textarea(attrs={"rows": 2, "maxlength": 500})
    )

    def __init__(self, *args: Any, goods: HeldGoods, checks: Iterable[InspectionCheck], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.goods = goods
        self.checks = list(checks)
        if not self.is_bound:
            self.initial.setdefault("key", str(uuid4()))
            self.initial.setdefault("release", as_text(goods.held))
        for name in Disposition.values:
            self.fields[name].widget.attrs["data-part"] = ""
        for check in self.checks:
            for name, field in self._fields_of(check):
                self.fields[name] = field

    def _fields_of(self, check: InspectionCheck) -> Iterable[tuple[str, forms.Field]]:
        """Fields are not required here: what fails may be decided without them, and the operation says what is missing."""
        if check.kind == CheckKind.PASS_FAIL:
            yield (
                f"check-{check.pk}",
                forms.ChoiceField(label=check.name, required=False, choices=OK_CHOICES, widget=forms.RadioSelect),
            )
        elif check.kind == CheckKind.TEXT:
            yield f"check-{check.pk}", forms.CharField(label=check.name, required=False, max_length=500)
        elif check.kind == CheckKind.MEASUREMENT:
            samples = samples_of(self.goods.sample)
            for sample in range(1, samples + 1):
                label = check.name if samples == 1 else f"{check.name}, sample {sample}"
                field = FigureField(label=label, required=False)
                for limit in ("minimum", "maximum"):
                    if getattr(check, limit) is not None:
                        field.widget.attrs[f"data-{limit}"] = as_text(getattr(check, limit))
                field.widget.attrs["aria-label"] = label
                yield f"check-{check.pk}-{sample}", field

    def shown_checks(self) -> list[CheckFields]:
        return [CheckFields(check, [self[name] for name, _ in self._fields_of(check)]) for check in self.checks]

    def parts(self) -> list[tuple[BoundField, BoundField]]:
        """The ways of failing, each with its reason."""
        return [(self[name], self[f"{name}_reason"]) for name in ("scrap", "rework", "quarantine")]

    def findings(self) -> list[Finding]:
        found = []
        for check in self.checks:
            for number, (name, _) in enumerate(self._fields_of(check), start=1):
                value = self.cleaned_data.get(name)
                if value in (None, ""):
                    continue
                if check.kind == CheckKind.PASS_FAIL:
                    found.append(Finding(check.pk, is_ok=value == "yes"))
                elif check.kind == CheckKind.MEASUREMENT:
                    found.append(Finding(check.pk, sample=number, measured=value))
                else:
                    found.append(Finding(check.pk, text=value))
        return found

    def outcomes(self) -> list[Outcome]:
        data = self.cleaned_data
        return [
            Outcome(disposition, data[disposition.value] or ZERO, data.get(f"{disposition.value}_reason") or "")
            for disposition in Disposition
            if data[disposition.value]
        ]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        for name in ("scrap", "rework", "quarantine"):
            if cleaned.get(name) and not cleaned.get(f"{name}_reason"):
                self.add_error(f"{name}_reason", "Say what is wrong with them.")
        parts = [cleaned.get(name) or ZERO for name in Disposition.values]
        if not self.errors and not any(parts):
            raise ValidationError("Nothing was decided. Type how many pass and how many fail.")
        return cleaned


@dataclass(slots=True)
class CheckRow:
    """One row of the plan editor as typed."""

    name: str = ""
    kind: str = CheckKind.PASS_FAIL.value
    unit: str = ""
    minimum: str = ""
    maximum: str = ""
    is_required: bool = True
    error: str = ""

    @property
    def is_blank(self) -> bool:
        return not (self.name or self.minimum or self.maximum)

    @classmethod
    def of(cls, spec: CheckSpec) -> "CheckRow":
        minimum, maximum = ("" if limit is None else as_text(limit) for limit in (spec.minimum, spec.maximum))
        return cls(spec.name, spec.kind, spec.unit, minimum, maximum, spec.is_required)


class InspectionPlanForm(forms.Form):
    """A plan: how often, how many, and the rows of its checks. Rows are read from the same post."""

    item = ItemField(label="Item")
    applies_to = forms.ChoiceField(label="Inspected when it is", choices=(("output", "made"), ("receipt", "received")))
    every_nth = forms.IntegerField(
        label="Inspect each",
        min_value=1,
        max_value=10_000,
        initial=1,
        help_text="1 inspects every completion or receipt, 3 the first and every third after it; the others are released.",
        widget=forms.NumberInput(attrs={"class": "bf-field-number"}),
    )
    sample_quantity = FigureField(
        label="Sample", required=False, help_text="How many are looked at, in the stock unit. Empty: all of them."
    )
    instructions = forms.CharField(
        label="Instructions", required=False, max_length=4000, widget=forms.Textarea(attrs={"rows": 3})
    )

    def __init__(self, *args: Any, plan: InspectionPlan | None = None, specs: Iterable[CheckSpec] = (), **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.plan = plan
        if plan is not None:
            del self.fields["item"], self.fields["applies_to"]
            self.initial = {
                "every_nth": plan.every_nth,
                "sample_quantity": plan.sample_quantity,
                "instructions": plan.instructions,
                **self.initial,
            }
        self.rows = rows_from(self.data) if self.is_bound else [CheckRow.of(spec) for spec in specs]

    def shown_rows(self) -> list[CheckRow]:
        return [*self.rows, *(CheckRow() for _ in range(BLANK_ROWS))][:CHECKS_MAX]

    def move(self, number: int, by: int) -> None:
        """Give a row another place among the rows."""
        if 0 <= number < len(self.rows) and 0 <= number + by < len(self.rows):
            self.rows.insert(number + by, self.rows.pop(number))

    def specs(self) -> list[CheckSpec]:
        """The typed rows. A limit that is no figure is said at its row; then the list is not to be used."""
        specs = []
        for row in self.rows:
            limits = []
            for name in ("minimum", "maximum"):
                try:
                    limits.append(FigureField(required=False).clean(getattr(row, name)))
                except ValidationError as error:
                    row.error = " ".join(error.messages)
                    limits.append(None)
            is_measured = row.kind == CheckKind.MEASUREMENT
            unit = row.unit if is_measured else ""
            minimum, maximum = limits if is_measured else (None, None)
            specs.append(CheckSpec(row.name, row.kind, unit, minimum, maximum, row.is_required))
        return specs

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        self.specs()
        if any(row.error for row in self.rows):
            raise ValidationError("A limit is no figure. It is marked below.")
        return cleaned


_ROW = re.compile(r"row-(\d{1,3})-name")


def rows_from(data: Mapping[str, Any]) -> list[CheckRow]:
    """The rows with something in them, in the order of the page."""
    numbers = sorted(int(found[1]) for name in data if (found := _ROW.fullmatch(name)))
    rows = []
    for number in numbers[:CHECKS_MAX]:
        values = {
            name: str(data.get(f"row-{number}-{name}") or "").strip()[:400]
            for name in ("name", "kind", "unit", "minimum", "maximum")
        }
        row = CheckRow(**values, is_required=bool(data.get(f"row-{number}-required")))
        if not row.is_blank:
            rows.append(row)
    return rows


KINDS = [(kind.value, str(kind.label)) for kind in CheckKind]
