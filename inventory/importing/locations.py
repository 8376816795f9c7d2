"""Import of locations: sites, areas and bins with what they stand in. Rows may come in any order."""

from collections.abc import Mapping, Sequence
from typing import Any

from inventory.importing.cells import read_choice, read_yes
from inventory.importing.headers import Field, find_columns
from inventory.importing.reports import Change, Report
from inventory.importing.rows import RowReader, read_rows
from inventory.importing.running import ImportKind, ImportOptions
from inventory.importing.tables import Table, canonical
from inventory.importing.upkeep import (
    REASON,
    Entry,
    check_model,
    compare,
    leave_out_blank,
    person,
    tell,
    text_of,
    whole_number,
    without_repetitions,
    write,
)
from inventory.models import Location, LocationKind, StockBalance
from inventory.operations.describing import save_and_tell
from inventory.operations.posting import Actor

KIND_WORDS = {
    **{kind.value.replace("_", " "): kind.value for kind in LocationKind},
    **{" ".join(kind.label.casefold().replace("-", " ").split()): kind.value for kind in LocationKind},
}
FIELDS = (
    Field(
        "code",
        "Code",
        ("code", "location", "location code", "bin", "place"),
        is_required=True,
        help_text="Unique, without regard to case. A known one is brought up to date.",
    ),
    Field(
        "name", "Name", ("name", "location name", "description"), help_text="New ones without a name take their code."
    ),
    Field(
        "parent",
        "Inside",
        ("inside", "parent", "parent code", "parent location"),
        help_text="Code of what it stands in; empty for a site.",
    ),
    Field("kind", "Kind", ("kind", "location kind", "type"), help_text="own, 3pl, channel owned or in transit."),
    Field("is_sellable", "Sellable", ("sellable", "is sellable"), help_text="yes: stock here counts as available."),
    Field("is_blocked", "Blocked", ("blocked", "is blocked"), help_text="yes: nothing is picked from here by itself."),
    Field("is_active", "Active", ("active", "is active")),
    Field("owner", "Owner", ("owner", "owned by"), help_text="Whose goods stand here, when not ours."),
    Field("freshness_hours", "Stale after (hours)", ("stale after hours", "freshness hours", "stale after")),
)


def import_locations(table: Table, options: ImportOptions, actor: Actor) -> Report:  # noqa: ARG001  like every kind
    """Make and update the locations of a table; see running.ImportKind."""
    report = Report.of("locations", table)
    columns = find_columns(table, FIELDS)
    readers = leave_out_blank(
        read_rows(table, columns, report, numbers=()),
        report,
        key="code",
        words="the code is empty. Give each location one, or delete the row.",
    )
    readers = without_repetitions(
        readers, report, key=lambda reader: reader.text("code").upper(), column="code", label="code"
    )
    known = {
        canonical(place.code).upper(): place
        for place in Location.objects.select_for_update(of=("self",), no_key=True).order_by("pk")
    }
    held = set(StockBalance.objects.on_hand().values_list("location_id", flat=True).distinct())
    entries = [entry for reader in readers if (entry := _entry(reader, known, held)) is not None]
    entries = _placed(entries, known)
    _write(entries, actor)
    return tell(report, readers, entries, label="code")


def _entry(reader: RowReader, known: Mapping[str, Location], held: set[int]) -> Entry[Location] | None:
    code = reader.read("code", text_of(64)) or ""
    values = _values(reader)
    place = known.get(code.upper())
    is_new = place is None
    if place is None:
        place = Location(code=code)
        values.setdefault("name", code)
    elif values.get("is_active") is False and place.is_active and place.pk in held:
        reader.refuse("is_active", f"{place.code} holds stock. Move all of it out before it is set inactive.")
    entry = compare(reader, place, label=code, is_new=is_new, values=values, fields=FIELDS)
    check_model(reader, place, exclude=("parent", "path"))
    return entry if reader.is_clean else None


def _values(reader: RowReader) -> dict[str, Any]:
    readers: dict[str, Any] = {
        "name": text_of(200),
        "kind": lambda text: read_choice(text, KIND_WORDS, what="kind of location"),
        "is_sellable": read_yes,
        "is_blocked": read_yes,
        "is_active": read_yes,
        "owner": text_of(100),
        "freshness_hours": whole_number,
    }
    found = {name: reader.read(name, read) for name, read in readers.items()}
    return {name: value for name, value in found.items() if value is not None}


# --- The tree ---------------------------------------------------------------------------------------------------------


def _placed(entries: Sequence[Entry[Location]], known: Mapping[str, Location]) -> list[Entry[Location]]:
    """The entries with their parents, each after its own; what leads nowhere or into itself is refused."""
    rows = {entry.instance.code.upper(): entry for entry in entries}
    by_id = {place.pk: place for place in known.values()}

    def above(code: str) -> str:
        """Code of what a location will stand in; empty for a site."""
        entry = rows.get(code)
        if entry is not None and entry.reader.has("parent"):
            return entry.reader.text("parent").upper()
        place = known.get(code)
        parent = by_id.get(place.parent_id) if place is not None and place.parent_id else None
        return "" if parent is None else canonical(parent.code).upper()

    placed: dict[str, Entry[Location]] = {}

    def settle(code: str) -> bool:
        """Whether the location is there, or will be; walks up without recursion, since trees may be deep."""
        way: list[str] = []
        here = code
        while here and here not in placed:
            if here in way:
                for member in way:
                    if member in rows:
                        path = " -> ".join([*way, here])
                        rows[member].reader.refuse(
                            "parent", f"it would stand inside itself: {path}. Choose another place."
                        )
                return False
            if here not in rows:
                if here in known:
                    here = above(here)
                    continue
                below = rows.get(way[-1]) if way else None
                if below is not None:
                    missing = below.reader.text("parent")
                    below.reader.refuse(
                        "parent", f"there is no location {missing}. Add it to the file, or correct the code."
                    )
                return False
            way.append(here)
            here = above(here)
        for member in reversed(way):
            entry = rows[member]
            if not entry.reader.is_clean:
                return False
            _put(entry, above(member), rows, known)
            placed[member] = entry
        return True

    for code, entry in rows.items():
        if not settle(code) and entry.reader.is_clean:
            entry.reader.refuse("parent", "what it stands in is refused. Mend that row first.")
    return [entry for entry in placed.values() if entry.reader.is_clean]


def _put(
    entry: Entry[Location], parent_code: str, rows: Mapping[str, Entry[Location]], known: Mapping[str, Location]
) -> None:
    parent = known.get(parent_code) or (rows[parent_code].instance if parent_code in rows else None)
    place = entry.instance
    if parent is not None and parent.pk is not None and place.parent_id == parent.pk:
        return
    if parent is None and place.parent_id is None:
        return
    before = "" if place.parent is None else place.parent.code
    entry.changes.insert(0, Change("Inside", before, "" if parent is None else parent.code))
    entry.fields.add("parent")
    place.parent = parent


def _write(entries: Sequence[Entry[Location]], actor: Actor) -> None:
    """New locations level by level, since a path needs the id of what is above; moved ones by the model's own save."""
    moved = [entry for entry in entries if not entry.is_new and "parent" in entry.fields]
    level = [entry for entry in entries if entry.is_new]
    while level:
        ready = [e for e in level if e.instance.parent is None or e.instance.parent.pk is not None]
        for entry in ready:
            entry.instance.parent = entry.instance.parent  # takes the id over that the parent has got meanwhile
        write(Location, ready, actor=actor)
        for entry in ready:
            parent = entry.instance.parent
            entry.instance.path = f"{parent.path if parent else '/'}{entry.instance.pk}/"
        Location.objects.bulk_update([entry.instance for entry in ready], ["path"], batch_size=1_000)
        level = [entry for entry in level if entry not in ready]
    write(Location, [entry for entry in entries if not entry.is_new and "parent" not in entry.fields], actor=actor)
    for entry in moved:
        place = Location.objects.get(pk=entry.instance.pk)  # with the path that an earlier move may have given it
        for name in entry.fields:
            setattr(place, name, getattr(entry.instance, name))
        place.parent = None if entry.instance.parent is None else Location.objects.get(pk=entry.instance.parent.pk)
        place._history_user = person(actor)  # type: ignore[attr-defined]  # read by simple_history
        place._change_reason = REASON  # type: ignore[attr-defined]
        save_and_tell(instance=place, save=place.save, actor=actor)


LOCATIONS = ImportKind(
    name="locations",
    title="Locations",
    help_text="Sites, areas and bins, in any order. Empty cells and missing columns change nothing.",
    permissions=("inventory.add_location", "inventory.change_location"),
    fields=FIELDS,
    options=(),
    perform=import_locations,
    order=6,
)
