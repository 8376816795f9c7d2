"""Import of allocation rules: each row is the whole rule of one scope, in force from now on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from channels_sync.models import AllocationPolicy, Channel, Listing
from channels_sync.operations.allocating import set_policy
from inventory.errors import DomainError
from inventory.importing.cells import read_percent
from inventory.importing.headers import Field, find_columns
from inventory.importing.items import items_by_sku
from inventory.importing.reports import Change, Outcome, Report
from inventory.importing.rows import RowReader, is_total, read_rows
from inventory.importing.running import ImportKind, ImportOptions
from inventory.importing.tables import Table, canonical
from inventory.importing.upkeep import is_same, not_negative, shown, text_of, without_repetitions
from inventory.models import Item
from inventory.operations.posting import Actor

FIELDS = (
    Field(
        "channel", "Channel", ("channel", "channel code", "shop"), is_required=True, help_text="Its code; empty: all."
    ),
    Field("item", "Item", ("item", "item sku", "sku", "item code"), help_text="SKU; empty: all."),
    Field(
        "listing",
        "Listing",
        ("listing", "sku on the channel", "channel sku", "external sku"),
        help_text="SKU on the channel, for a rule of one listing; it needs the channel.",
    ),
    Field("percent", "Percent", ("percent", "%", "share"), help_text="Empty terms are inherited from the wider rule."),
    Field("buffer", "Buffer", ("buffer", "safety stock"), help_text="Stock units withheld."),
    Field("minimum_to_list", "Shown from", ("shown from", "minimum to list", "minimum", "min")),
    Field("maximum_to_list", "At most", ("at most", "maximum to list", "maximum", "max")),
    Field("note", "Note", ("note", "notes", "remark", "remarks", "comment")),
)
TERMS = ("percent", "buffer", "minimum_to_list", "maximum_to_list")
Scope = tuple[int | None, int | None, int | None]
"""Ids of channel, item and listing."""


@dataclass(frozen=True, slots=True)
class _Known:
    channels: Mapping[str, Channel]
    items: Mapping[str, Item]
    listings: Mapping[tuple[int, str], Listing]
    rules: Mapping[Scope, AllocationPolicy]


def import_policies(table: Table, options: ImportOptions, actor: Actor) -> Report:  # noqa: ARG001  like every kind
    """Put the rules of a table in force; see running.ImportKind."""
    report = Report.of("policies", table)
    columns = find_columns(table, FIELDS)
    readers = [r for r in read_rows(table, columns, report, numbers=TERMS) if not _is_left_out(r, report)]
    readers = without_repetitions(readers, report, key=_key, column="channel", label="channel")
    known = _Known(
        {channel.code.casefold(): channel for channel in Channel.objects.all()},
        items_by_sku({reader.text("item") for reader in readers if reader.has("item")}),
        {
            (listing.channel_id, canonical(listing.external_sku).upper()): listing
            for listing in Listing.objects.select_related("channel", "item")
        }
        if any(reader.has("listing") for reader in readers)
        else {},
        {
            (rule.channel_id, rule.item_id, rule.listing_id): rule
            for rule in AllocationPolicy.objects.filter(effective_to__isnull=True)
        },
    )
    for reader in readers:
        _import_row(reader, known, report, actor)
    report.results.sort(key=lambda result: result.row)
    return report


def _is_left_out(reader: RowReader, report: Report) -> bool:
    """A row without any scope is the rule for everything, if it has a term."""
    if is_total(reader.row):
        report.add(reader.number, Outcome.SKIPPED, "", note="a total")
        return True
    return False


def _key(reader: RowReader) -> object:
    return (reader.text("channel").casefold(), reader.text("item").upper(), reader.text("listing").upper())


def _import_row(reader: RowReader, known: _Known, report: Report, actor: Actor) -> None:
    scope = _scope(reader, known)
    terms = _terms(reader)
    label = _label(reader)
    if scope is None or not reader.is_clean:
        report.add(reader.number, Outcome.REFUSED, label)
        return
    ids: Scope = tuple(None if one is None else one.pk for one in scope.values())  # type: ignore[assignment]
    before = known.rules.get(ids)
    wanted = _wanted(reader, before, terms)
    changes = [
        Change(field.title, shown(getattr(before, field.name, None)), shown(wanted[field.name]))
        for field in FIELDS
        if field.name in wanted and not is_same(getattr(before, field.name, None) or None, wanted[field.name] or None)
    ]
    if before is not None and not changes:
        report.add(reader.number, Outcome.UNCHANGED, label)
        return
    try:
        set_policy(actor=actor, **scope, **wanted)
    except DomainError as error:
        reader.refuse(str(error.context.get("term", "")), error.message)
        report.add(reader.number, Outcome.REFUSED, label)
        return
    report.add(reader.number, Outcome.NEW if before is None else Outcome.CHANGED, label, changes=changes)


def _label(reader: RowReader) -> str:
    if reader.has("listing"):
        return f"Listing {reader.text('listing')} on {reader.text('channel')}"
    words = [word for word in (reader.text("item"), reader.text("channel")) if word]
    return " on ".join(words) or "Everywhere"


def _scope(reader: RowReader, known: _Known) -> dict[str, Any] | None:
    channel = item = listing = None
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
    if reader.has("listing"):
        if channel is None:
            reader.refuse("listing", "a listing is named by its channel and its SKU there. Fill the channel too.")
            return None
        listing = known.listings.get((channel.pk, reader.text("listing").upper()))
        if listing is None:
            reader.refuse("listing", f"{channel.name} has no listing {reader.text('listing')}. Correct the SKU.")
        elif item is not None and item.pk != listing.item_id:
            reader.refuse("item", f"{reader.text('listing')} offers {listing.item.sku}. Leave the item empty.")
        return {"channel": None, "item": None, "listing": listing}
    return {"channel": channel, "item": item, "listing": None}


def _terms(reader: RowReader) -> dict[str, Decimal | None]:
    readers: dict[str, Callable[[str], Decimal]] = {
        "percent": lambda text: read_percent(text, style=reader.style("percent")),
        **{name: not_negative(reader.style(name)) for name in TERMS[1:]},
    }
    terms = {name: reader.read(name, read) for name, read in readers.items()}
    low, high = terms["minimum_to_list"], terms["maximum_to_list"]
    if low is not None and high is not None and low > high:
        reader.refuse("minimum_to_list", "it is above the maximum, so the listing would always show 0.")
    return terms


def _wanted(reader: RowReader, before: AllocationPolicy | None, terms: Mapping[str, Decimal | None]) -> dict[str, Any]:
    """The whole rule: what the file has a column for, empty or not, and the rest as it is."""
    wanted: dict[str, Any] = {
        name: terms[name] if name in reader.columns.found else getattr(before, name, None) for name in TERMS
    }
    note = getattr(before, "note", "")
    if "note" in reader.columns.found:
        given = reader.read("note", text_of(250)) or ""
        wanted["note"] = note if is_same(note, given) else given
    else:
        wanted["note"] = note
    return wanted


POLICIES = ImportKind(
    name="policies",
    title="Allocation rules",
    help_text="How much each channel may show. A row is the whole rule of its scope: an empty term is inherited from the "
    "wider rule. What differs becomes a new version from now on.",
    permissions=("channels_sync.add_allocationpolicy", "channels_sync.change_allocationpolicy"),
    fields=FIELDS,
    options=(),
    perform=import_policies,
    order=80,
)
