"""Completions: what was made, what it consumed, and what it cost."""

from decimal import Decimal

from django.db import models
from django.db.models import Q

from inventory.models import Item, Location, Lot, Posting, StockStatus
from production.models.boms import Bom, OperationKind
from production.models.work_orders import WorkOrder


class Completion(models.Model):
    """One recorded production: `good` units of an item went into stock and its components left it, in one posting.

    Values are in base currency and null when a cost is unknown. `reversed_good` and `reversed_scrap` count what was taken
    back; a completion with nothing left is reversed.
    """

    posting = models.OneToOneField(
        Posting, on_delete=models.PROTECT, primary_key=True, related_name="completion", db_constraint=False
    )
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="completions", db_constraint=False)
    bom = models.ForeignKey(
        Bom, on_delete=models.PROTECT, related_name="completions", db_constraint=False, db_index=False
    )
    work_order = models.ForeignKey(
        WorkOrder, on_delete=models.PROTECT, null=True, related_name="completions", db_constraint=False
    )
    good = models.DecimalField(max_digits=18, decimal_places=6, help_text="Stock unit of the item.")
    scrapped = models.DecimalField(max_digits=18, decimal_places=6, default=Decimal(0))
    scrap_reason = models.CharField(max_length=100, blank=True)
    scrap_location = models.ForeignKey(
        Location,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
        help_text="Where the scrapped units were put. They are waste, not stock.",
    )
    source_location = models.ForeignKey(
        Location, on_delete=models.PROTECT, null=True, related_name="+", db_constraint=False, db_index=False
    )
    output_location = models.ForeignKey(
        Location, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    output_lot = models.ForeignKey(
        Lot, on_delete=models.PROTECT, null=True, related_name="made_by", db_constraint=False, db_index=False
    )
    output_status = models.CharField(max_length=12, choices=StockStatus)
    consumed_value = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    output_value = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    operation_value = models.DecimalField(
        max_digits=20,
        decimal_places=6,
        default=Decimal(0),
        db_default=0,
        help_text="Labour, machines and overhead that went into the output.",
    )
    by_product_value = models.DecimalField(
        max_digits=20,
        decimal_places=6,
        null=True,
        default=Decimal(0),
        db_default=0,
        help_text="What by-products and co-products carry of the cost.",
    )
    parent = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="nested",
        db_constraint=False,
        db_index=False,
        help_text="The completion that made this one because a component was missing.",
    )
    reversed_good = models.DecimalField(max_digits=18, decimal_places=6, default=Decimal(0), db_default=0)
    reversed_scrap = models.DecimalField(max_digits=18, decimal_places=6, default=Decimal(0), db_default=0)

    class Meta:
        ordering = ("-posting_id",)
        permissions = (
            ("record_completion", "Can record completions"),
            ("reverse_completion", "Can reverse completions"),
            ("deviate_from_bom", "Can use other quantities than a blocked BOM's standard"),
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(good__gte=0, scrapped__gte=0) & (Q(good__gt=0) | Q(scrapped__gt=0)),
                name="production_completion_made_something",
            ),
            models.CheckConstraint(
                condition=Q(reversed_good__gte=0, reversed_scrap__gte=0)
                & Q(reversed_good__lte=models.F("good"))
                & Q(reversed_scrap__lte=models.F("scrapped")),
                name="production_completion_reversed_at_most_made",
            ),
        )
        indexes = (
            models.Index(fields=("parent",), condition=Q(parent__isnull=False), name="production_completion_nested"),
            models.Index(
                fields=("scrap_location",),
                condition=Q(scrap_location__isnull=False),
                name="production_completion_scrap_at",
            ),
        )

    def __str__(self) -> str:
        return f"Completion {self.posting_id}"

    @property
    def is_reversed(self) -> bool:
        """Whether nothing of it is left."""
        return self.reversed_good == self.good and self.reversed_scrap == self.scrapped

    @property
    def unit_cost(self) -> Decimal | None:
        """Base currency per good unit, exact; None when unknown or when nothing good was made."""
        return None if self.output_value is None or not self.good else self.output_value / self.good


class VarianceCause(models.TextChoices):
    """Why more or less of a component was used than the BOM says."""

    SCRAP = "scrap", "Spoiled"
    SUBSTITUTE = "substitute", "Replaced by another item"
    BOM = "bom", "The BOM is wrong"
    MEASURED = "measured", "Measured by hand"
    YIELD = "yield", "Other yield than planned"
    OTHER = "other", "Other"


class CompletionOutput(models.Model):
    """One quantity that a completion put into stock beside the usual single lot of its item: a further lot, a by-product."""

    completion = models.ForeignKey(Completion, on_delete=models.PROTECT, related_name="outputs", db_constraint=False)
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    lot = models.ForeignKey(Lot, on_delete=models.PROTECT, related_name="+", db_constraint=False)
    location = models.ForeignKey(
        Location, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    status = models.CharField(max_length=12, choices=StockStatus)
    quantity = models.DecimalField(max_digits=18, decimal_places=6, help_text="Stock unit of the item.")
    value = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    is_main = models.BooleanField(default=False, help_text="Of the item the completion is about.")
    expected = models.DecimalField(
        max_digits=18, decimal_places=6, default=Decimal(0), help_text="By the BOM, for by-products."
    )

    class Meta:
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(condition=Q(quantity__gt=0), name="production_completionoutput_quantity_positive"),
        )

    def __str__(self) -> str:
        return f"{self.quantity:f} of item {self.item_id}"


class CompletionLine(models.Model):
    """Standard and actual usage of one component in one completion. Never changed; the movements carry lots and values."""

    completion = models.ForeignKey(Completion, on_delete=models.PROTECT, related_name="lines", db_constraint=False)
    component = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    expected = models.DecimalField(
        max_digits=18, decimal_places=6, help_text="By the BOM; stock unit of the component."
    )
    actual = models.DecimalField(max_digits=18, decimal_places=6)
    reason = models.CharField(max_length=100, blank=True, help_text="Why actual differs from expected.")
    value = models.DecimalField(max_digits=20, decimal_places=6, null=True, help_text="Cost of the actual quantity.")
    is_consumable = models.BooleanField(default=False)
    work_order_line_id = models.BigIntegerField(null=True)
    scrapped = models.DecimalField(
        max_digits=18, decimal_places=6, default=Decimal(0), db_default=0, help_text="Of the actual, what was spoiled."
    )
    cause = models.CharField(max_length=16, choices=VarianceCause, blank=True, default="", db_default="")
    substitute_for = models.ForeignKey(
        Item,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
        help_text="The component of the BOM that this one replaced.",
    )

    class Meta:
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(
                condition=Q(expected__gte=0, actual__gte=0), name="production_completionline_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(scrapped__gte=0, scrapped__lte=models.F("actual")),
                name="production_completionline_scrapped_of_actual",
            ),
        )

    def __str__(self) -> str:
        return f"{self.actual:f} of item {self.component_id}"


class CompletionReversal(models.Model):
    """How much of a completion one reversing posting took back."""

    posting = models.OneToOneField(
        Posting, on_delete=models.PROTECT, primary_key=True, related_name="completion_reversal", db_constraint=False
    )
    completion = models.ForeignKey(Completion, on_delete=models.PROTECT, related_name="reversals", db_constraint=False)
    good = models.DecimalField(max_digits=18, decimal_places=6)
    scrapped = models.DecimalField(max_digits=18, decimal_places=6, default=Decimal(0))

    class Meta:
        ordering = ("-posting_id",)

    def __str__(self) -> str:
        return f"{self.good:f} of {self.completion}"


class CompletionReversalLine(models.Model):
    """How much of one completion line a reversal took back. Never changed."""

    reversal = models.ForeignKey(
        CompletionReversal, on_delete=models.PROTECT, related_name="lines", db_constraint=False
    )
    line = models.ForeignKey(CompletionLine, on_delete=models.PROTECT, related_name="reversals", db_constraint=False)
    expected = models.DecimalField(max_digits=18, decimal_places=6)
    actual = models.DecimalField(max_digits=18, decimal_places=6)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.actual:f} of line {self.line_id}"


class CompletionWork(models.Model):
    """How long the work of a completion really took, where somebody said it, beside what the BOM planned. Never changed."""

    completion = models.ForeignKey(Completion, on_delete=models.PROTECT, related_name="work", db_constraint=False)
    kind = models.CharField(max_length=12, choices=OperationKind)
    planned_minutes = models.DecimalField(max_digits=14, decimal_places=2)
    minutes = models.DecimalField(max_digits=14, decimal_places=2)
    planned_value = models.DecimalField(max_digits=20, decimal_places=6, help_text="Base currency.")
    value = models.DecimalField(max_digits=20, decimal_places=6, help_text="Base currency; it went into the output.")

    class Meta:
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(
                condition=Q(planned_minutes__gte=0, minutes__gte=0), name="production_completionwork_not_negative"
            ),
            models.UniqueConstraint(fields=("completion", "kind"), name="production_completionwork_once"),
        )

    def __str__(self) -> str:
        return f"{self.minutes:f} minutes of {self.get_kind_display().lower()}"


class Disassembly(models.Model):
    """Finished goods taken apart again: the item left stock and its components came back (rule S14).

    From a completion the very components it used come back; without one the standard says what does.
    """

    posting = models.OneToOneField(
        Posting, on_delete=models.PROTECT, primary_key=True, related_name="disassembly", db_constraint=False
    )
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="disassemblies", db_constraint=False)
    completion = models.ForeignKey(
        Completion, on_delete=models.PROTECT, null=True, blank=True, related_name="disassemblies", db_constraint=False
    )
    bom = models.ForeignKey(
        Bom, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_constraint=False, db_index=False
    )
    quantity = models.DecimalField(max_digits=18, decimal_places=6, help_text="Taken apart, stock unit of the item.")
    value = models.DecimalField(max_digits=20, decimal_places=6, null=True, help_text="That left with it.")
    wasted_value = models.DecimalField(
        max_digits=20, decimal_places=6, default=Decimal(0), help_text="Of it, what was not recovered."
    )
    is_reversed = models.BooleanField(default=False)

    class Meta:
        ordering = ("-posting_id",)
        verbose_name_plural = "disassemblies"
        permissions = (("disassemble", "Can take finished goods apart"),)
        constraints = (
            models.CheckConstraint(condition=Q(quantity__gt=0), name="production_disassembly_quantity_positive"),
        )

    def __str__(self) -> str:
        return f"Disassembly {self.posting_id}"


class DisassemblyLine(models.Model):
    """How much of one component a disassembly was expected to give back, and did."""

    disassembly = models.ForeignKey(Disassembly, on_delete=models.PROTECT, related_name="lines", db_constraint=False)
    component = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    expected = models.DecimalField(max_digits=18, decimal_places=6, help_text="Stock unit of the component.")
    recovered = models.DecimalField(max_digits=18, decimal_places=6)
    value = models.DecimalField(max_digits=20, decimal_places=6, null=True, help_text="It came back with.")

    class Meta:
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(
                condition=Q(expected__gte=0, recovered__gte=0), name="production_disassemblyline_not_negative"
            ),
        )

    def __str__(self) -> str:
        return f"{self.recovered:f} of item {self.component_id}"
