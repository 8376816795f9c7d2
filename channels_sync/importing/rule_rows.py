"""What rows of rules have in common, lasting ones and those of campaigns: what a rule is for, and its terms."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from channels_sync.allocation.vocabulary import (
    CHOICE,
    CHOICES,
    COLUMNS,
    DATE,
    NUMBER,
    PERCENT,
    QUANTITY,
    SPECS,
    TermSpec,
)
from channels_sync.models import AllocationPolicy, Channel, Listing
from inventory.importing.cells import read_choice, read_date, read_percent
from inventory.importing.headers import Field, normal_title
from inventory.importing.items import items_by_sku
from inventory.importing.paths import Categories, read_path
from inventory.importing.reports import Change
from inventory.importing.rows import RowReader
from inventory.importing.tables import canonical
from inventory.importing.upkeep import is_same, not_negative, shown, text_of, whole_number
from inventory.models import Item

SCOPE_FIELDS = (
    Field("channel", "Channel", ("channel", "channel code", "shop"), help_text="Its code; empty: all."),
    Field("category", "Category", ("category", "item category"), help_text="Its path; with all below it."),
    Field("item", "Item", ("item", "item sku", "sku", "item code"), help_text="SKU; empty: all."),
    Field(
        "listing",
        "Listing",
        ("listing", "sku on the channel", "channel sku", "external sku"),
        help_text="SKU on the channel, for a rule of one listing; it needs the channel.",
    ),
)


def _term_field(spec: TermSpec) -> Field:
    own = (normal_title(spec.label), spec.column.replace("_", " "))
    return Field(spec.column, spec.label, tuple(dict.fromkeys((*own, *spec.titles))), help_text=spec.help_text)


NOTE = Field("note", "Note", ("note", "notes", "remark", "remarks", "comment"))
TERM_FIELDS = tuple(_term_field(spec) for spec in SPECS)
NUMBERS = tuple(spec.column for spec in SPECS if spec.kind in (PERCENT, QUANTITY, NUMBER))
Scope = tuple[int | None, int | None, int | None, int | None]
"""Ids of channel, category, item and listing."""


@dataclass(frozen=True, slots=True)
class Subjects:
    """What rules can be for, by the words of the file."""

    channels: Mapping[str, Channel]
    items: Mapping[str, Item]
    listings: Mapping[tuple[int, str], Listing]
    categories: Categories

    @classmethod
    def of(cls, readers: Sequence[RowReader]) -> Self:
        return cls(
            {channel.code.casefold(): channel for channel in Channel.objects.all()},
            items_by_sku({reader.text("item") for reader in readers if reader.has("item")}),
            {
                (listing.channel_id, canonical(listing.external_sku).upper()): listing
                for listing in Listing.objects.select_related("channel", "item")
            }
            if any(reader.has("listing") for reader in readers)
            else {},
            Categories(),
        )


def scope_key(rule: AllocationPolicy) -> Scope:
    return (rule.channel_id, rule.category_id, rule.item_id, rule.listing_id)


def key_of(scope: Mapping[str, Any]) -> Scope:
    """The ids of what `read_scope` gave."""
    return tuple(None if one is None else one.pk for one in scope.values())  # type: ignore[return-value]


def label_of(reader: RowReader) -> str:
    if reader.has("listing"):
        return f"Listing {reader.text('listing')} on {reader.text('channel')}"
    words = [word for word in (reader.text("item") or reader.text("category"), reader.text("channel")) if word]
    return " on ".join(words) or "Everywhere"


def read_scope(reader: RowReader, known: Subjects) -> dict[str, Any] | None:
    """What the rule is for, by column of the model; None when a listing cannot be found at all."""
    channel = category = item = listing = None
    if reader.has("channel"):
        channel = known.channels.get(reader.text("channel").casefold())
        if channel is None:
            reader.refuse("channel", f"there is no channel “{reader.text('channel')}”. Give the code of one.")
    if reader.has("item"):
        item = known.items.get(reader.text("item").upper())
        if item is None:
            reader.refuse(
                "item", f"there is no item {reader.text('item')}. Import the items first, or correct the SKU."
            )
    if reader.has("category"):
        category = known.categories.find(read_path(reader.text("category")))
        if category is None:
            reader.refuse("category", f"there is no category “{reader.text('category')}”. Import it first.")
        elif item is not None or reader.has("listing"):
            reader.refuse("category", "a rule is for an item, a listing or a category. Leave the category empty.")
    if reader.has("listing"):
        if channel is None:
            reader.refuse("listing", "a listing is named by its channel and its SKU there. Fill the channel too.")
            return None
        listing = known.listings.get((channel.pk, reader.text("listing").upper()))
        if listing is None:
            reader.refuse("listing", f"{channel.name} has no listing {reader.text('listing')}. Correct the SKU.")
        elif item is not None and item.pk != listing.item_id:
            reader.refuse("item", f"{reader.text('listing')} offers {listing.item.sku}. Leave the item empty.")
        return {"channel": None, "category": None, "item": None, "listing": listing}
    return {"channel": channel, "category": category, "item": item, "listing": None}


def read_terms(reader: RowReader) -> dict[str, Any]:
    """Every term by column; None where the cell is empty or the file has no such column."""
    terms = {spec.column: reader.read(spec.column, _reader(spec, reader)) for spec in SPECS}
    low, high = terms["minimum_to_list"], terms["maximum_to_list"]
    if low is not None and high is not None and low > high:
        reader.refuse("minimum_to_list", "it is above the maximum, so the listing would always show 0.")
    return terms


def _reader(spec: TermSpec, reader: RowReader) -> Callable[[str], Any]:
    style = reader.style(spec.column)
    if spec.kind == PERCENT:
        return lambda text: read_percent(text, style=style)
    if spec.kind == CHOICE:
        words = {value: value for value, _ in CHOICES[spec.column]}
        return lambda text: read_choice(text, words, what=spec.label.lower())
    if spec.kind == DATE:
        return read_date
    return not_negative(style) if spec.kind in (QUANTITY, NUMBER) else whole_number


def whole_rule(reader: RowReader, before: AllocationPolicy | None, terms: Mapping[str, Any]) -> dict[str, Any]:
    """The rule as it will be: what the file has a column for, empty or not, and the rest as it is."""
    wanted: dict[str, Any] = {
        name: terms[name] if name in reader.columns.found else getattr(before, name, None) for name in COLUMNS
    }
    note = getattr(before, "note", "")
    if "note" in reader.columns.found:
        given = reader.read("note", text_of(250)) or ""
        wanted["note"] = note if is_same(note, given) else given
    else:
        wanted["note"] = note
    return wanted


def changes_of(before: AllocationPolicy | None, wanted: Mapping[str, Any]) -> list[Change]:
    """Where the rule as it will be is another than the one before."""
    return [
        Change(field.title, shown(getattr(before, field.name, None)), shown(wanted[field.name]))
        for field in (*TERM_FIELDS, NOTE)
        if field.name in wanted and not _is_kept(getattr(before, field.name, None), wanted[field.name])
    ]


def _is_kept(old: object, new: object) -> bool:
    """Whether a cell says what is stored; 0 is a term, empty is none."""
    return is_same(None if old == "" else old, None if new == "" else new)
