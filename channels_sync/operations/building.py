"""How many could be built of everything, kept beside the figures so that news of a component touches only what it can change.

A screw may stand in every BOM; yet what can be built of most products is limited by something else. What was last counted
free of each item, and how many could be made of that, is kept in BuildFigure. When a component falls, only products that need
more of it than is left can change; when it rises, only those that it held back.

Whoever writes these notes holds one lock until the end of the transaction, which also works out the figures of what changed,
or leaves news of it. A figure that was worked out from stock newer than its note wipes the note out: then the next news of
any component looks at that product in any case.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db.models import Max, Min, Model
from django.utils import timezone

from channels_sync.allocation import Derivation
from channels_sync.allocation.terms import BUILDABLE
from channels_sync.models import BuildFigure
from channels_sync.reads.division import division_statement, products_connected_with
from channels_sync.reads.layers import makeable_of
from channels_sync.reads.pools import EVERY_SITE, FREE, places_statement, pool_arguments
from inventory.arrays import flags, numbers
from inventory.models import Item
from inventory.operations.telling import tell_changed
from inventory.operations.transactions import operation
from inventory.reads.availability import availability
from inventory.trips import Rows, Statement, execute, in_one_trip, rows_of
from production.reads.dependents import dependents
from production.reads.structures import IN_FORCE, load_structures

ITEMS_PER_STEP = 50_000
_COUNTS = "EXISTS (SELECT FROM channels_sync_allocationpolicy WHERE basis = %s AND (effective_to IS NULL OR effective_to > %s))"
_LOCK = 6_037_201
"""Number of the advisory lock that whoever writes BuildFigure holds."""


def counts_buildable(*, now: datetime) -> bool:
    """Whether a rule in force, or one that is to come, counts what could be built."""
    ((counts,),) = rows_of(f"SELECT {_COUNTS}", [BUILDABLE, now])
    return bool(counts)


@dataclass(frozen=True, slots=True)
class Touched:
    """Items (ids, ascending) whose figures may change, and the notes of how many could be made, which are still to be sent."""

    items: Sequence[int]
    notes: Sequence[Statement] = ()


def touched_by(*, items: Collection[int], now: datetime) -> Touched:
    """`items` (ids), and everything of which the number that could be built changes with them. Within the transaction.

    The notes of what is free follow at once, the others are the caller's to send. The number of statements does not depend on
    how many items there are, nor on what they are built into.
    """
    if not items:
        return Touched(())
    ((counts, _),), places = in_one_trip(_lock_where_counted(now=now), places_statement([EVERY_SITE]))
    if not counts:
        return Touched(sorted(items))
    built = _built_of(items, now=now, places=places)
    changed, notes, divides = _makeable({*items, *built}, now=now)
    connected = products_connected_with(items={*items, *changed}, at=now) if divides else set()
    return Touched(sorted({*items, *changed, *connected}), notes)


def forgetting_newer(derivations: Collection[Derivation]) -> list[Statement]:
    """Wipes out the notes of products whose figure was worked out from another number than the one noted. One statement at most,
    for the caller to send."""
    used = {
        derivation.snapshot.item_id: made.quantity if made.alone is None else made.alone
        for derivation in derivations
        if (made := derivation.snapshot.makeable) is not None
    }
    if not used:
        return []
    return [
        (
            "UPDATE channels_sync_buildfigure b SET makeable = NULL FROM unnest(%s::bigint[], %s::numeric[])"
            " AS u(item_id, makeable) WHERE b.item_id = u.item_id AND b.makeable <> u.makeable",
            [numbers(used), numbers(used.values())],
        )
    ]


def note_everything(*, now: datetime) -> bool:
    """Count all items anew, in steps of ITEMS_PER_STEP, a transaction each. Returns whether any rule counts it at all.

    News of products whose number changed is left with the notes, so that their figures follow even if nobody comes to work
    them out now.
    """
    if not counts_buildable(now=now):
        return False
    ranges = id_ranges(Item, ITEMS_PER_STEP)
    for low, high in ranges:
        _note_free_between(low, high, now=now)
    for low, high in ranges:
        _note_makeable_between(low, high, now=now)
    return True


def id_ranges(model: type[Model], size: int) -> list[tuple[int, int]]:
    """Bounds (above, up to) of ids that at most `size` rows lie between."""
    ends = model._default_manager.aggregate(first=Min("pk"), last=Max("pk"))
    if ends["last"] is None:
        return []
    return [(low, min(low + size, ends["last"])) for low in range(ends["first"] - 1, ends["last"], size)]


def _lock_where_counted(*, now: datetime) -> Statement:
    """Answers what `counts_buildable` does, and where it is yes the lock is taken with it."""
    return (
        "SELECT c.counts, CASE WHEN c.counts THEN pg_advisory_xact_lock(%s)::text END"
        f" FROM (SELECT {_COUNTS} AS counts OFFSET 0) c",
        [_LOCK, BUILDABLE, now],
    )


def _lock() -> None:
    execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


# --- what is free ---

_NOTE_FREE = (
    "WITH "
    + FREE
    + """
, counted AS MATERIALIZED (
  SELECT i.id AS item_id, coalesce(f.free, 0) AS free, n.free AS before
  FROM inventory_item i LEFT JOIN free f ON f.item_id = i.id LEFT JOIN channels_sync_buildfigure n ON n.item_id = i.id
  WHERE {of_items}
), noted AS (
  INSERT INTO channels_sync_buildfigure (item_id, free, makeable, is_odd, is_inside)
  SELECT item_id, free,
         CASE WHEN NOT EXISTS (SELECT FROM production_bom b WHERE b.item_id = c.item_id) THEN 0 END, false, false
  FROM counted c WHERE before IS DISTINCT FROM free ORDER BY item_id
  ON CONFLICT (item_id) DO UPDATE SET free = excluded.free
)
"""
)
_SOME = {
    "of_balances": "b.item_id = ANY(%(items)s::bigint[])",
    "of_reservations": "r.item_id = ANY(%(items)s::bigint[])",
}
_BETWEEN = {
    "of_balances": "b.item_id > %(low)s AND b.item_id <= %(high)s",
    "of_reservations": "r.item_id > %(low)s AND r.item_id <= %(high)s",
}
_NOTE_FREE_OF_SOME = _NOTE_FREE.format(of_items="i.id = ANY(%(items)s::bigint[])", **_SOME)
_NOTE_FREE_BETWEEN = (_NOTE_FREE + "SELECT item_id, before, free FROM counted WHERE before <> free").format(
    of_items="i.id > %(low)s AND i.id <= %(high)s", **_BETWEEN
)


def _note_free(items: Collection[int], *, now: datetime) -> None:
    """Note what is free of items now."""
    execute(_NOTE_FREE_OF_SOME + "SELECT 1", {"items": numbers(items), **pool_arguments([EVERY_SITE], at=now)})


@operation
def _note_free_between(low: int, high: int, *, now: datetime) -> None:
    """The same for items between two ids. Products that may change with it are no longer known until they are counted."""
    _lock()
    rows = rows_of(_NOTE_FREE_BETWEEN, {"low": low, "high": high, **pool_arguments([EVERY_SITE], at=now)})
    changed = {item_id: (before, free) for item_id, before, free in rows}
    unknown = _candidates_of(changed, on=timezone.localdate(now))
    if unknown:
        BuildFigure.objects.filter(item__in=unknown).update(makeable=None)


# --- what can change ---

_CANDIDATES = f"""
SELECT DISTINCT b.item_id, coalesce(m.is_inside, false)
FROM {{changed}} JOIN inventory_item i ON i.id = c.item_id
JOIN production_bomline l ON l.component_id = c.item_id AND NOT l.is_consumable AND NOT l.is_optional
JOIN production_bom b ON b.id = l.bom_id AND {IN_FORCE}
LEFT JOIN channels_sync_buildfigure m ON m.item_id = b.item_id
CROSS JOIN LATERAL (
  SELECT l.quantity * l.unit_numerator * (100 + l.scrap_percent)
         / (l.unit_denominator * b.makes * (100 - b.process_loss_percent)) AS each
) n
WHERE m.makeable IS NULL OR m.is_inside OR c.before IS NULL
   OR l.rounding_multiple IS NOT NULL OR l.setup_quantity > 0
   OR c.free < c.before AND m.makeable * n.each + i.step > c.free
   OR CASE WHEN c.free > c.before THEN
        (m.makeable + (SELECT p.step FROM inventory_item p WHERE p.id = b.item_id)) * n.each + i.step > c.before END
"""
"""A step of the component is added to every need: rounding can make it that much more."""


_CANDIDATES_OF_NEWS = _NOTE_FREE_OF_SOME + _CANDIDATES.format(changed="counted c")
_CANDIDATES_OF_OTHERS = _CANDIDATES.format(
    changed="unnest(%(items)s::bigint[], %(before)s::numeric[], %(free)s::numeric[]) AS c(item_id, before, free)"
)


def _built_of(items: Collection[int], *, now: datetime, places: Rows) -> set[int]:
    """Note what is free of items now; products whose number may change with it."""
    stock = {"items": numbers(items), **pool_arguments([EVERY_SITE], at=now, places=places)}
    return _with_what_contains(rows_of(_CANDIDATES_OF_NEWS, {**stock, "on": timezone.localdate(now)}))


def _candidates_of(free: Mapping[int, tuple[Decimal | None, Decimal]], *, on: date) -> set[int]:
    """Products whose number may change with what is free of these: by item before (None: not known) and now."""
    if not free:
        return set()
    arguments = {
        "items": numbers(free),
        "before": numbers([before for before, _ in free.values()]),
        "free": numbers([now for _, now in free.values()]),
        "on": on,
    }
    return _with_what_contains(rows_of(_CANDIDATES_OF_OTHERS, arguments))


def _with_what_contains(rows: Rows) -> set[int]:
    """The products found, and what contains those of them that are phantoms of others."""
    found = {item_id for item_id, _ in rows}
    inside = {item_id for item_id, is_inside in rows if is_inside}
    return found | dependents(items=inside) if inside else found


# --- what could be made of it ---

_STARTABLE = """CASE WHEN i.step %% 1 = 0 THEN div(n.usable * n.parts, n.need)
     ELSE div((n.usable + i.step / 2) * n.parts, n.need) - (mod((n.usable + i.step / 2) * n.parts, n.need) = 0)::int END"""
"""Steps of the product that a component allows: exact, by division without remainder. Need is rounded up to whole steps of the
component; where its steps are no whole numbers, half up."""

_MAKEABLE = """
WITH in_force AS MATERIALIZED (
  SELECT DISTINCT ON (b.item_id) b.item_id, b.id AS bom_id, b.makes, b.process_loss_percent AS loss
  FROM production_bom b WHERE {of_boms} AND {in_force}
  ORDER BY b.item_id, b.effective_from DESC, b.version DESC
), made AS MATERIALIZED (
  SELECT m.* FROM in_force m LEFT JOIN channels_sync_buildfigure n ON n.item_id = m.item_id WHERE {due}
), twice AS MATERIALIZED (
  SELECT m.item_id FROM made m JOIN production_bomline l ON l.bom_id = m.bom_id
  GROUP BY m.item_id, l.component_id HAVING count(*) > 1
), counted AS MATERIALIZED (
  SELECT m.item_id, m.bom_id, coalesce(min(x.makeable), 0) AS makeable,
         coalesce(bool_or(
           l.is_phantom OR i.kind = 'phantom' OR l.rounding_multiple IS NOT NULL OR l.setup_quantity > 0
         ), false) OR m.item_id IN (SELECT item_id FROM twice) AS is_odd,
         array_agg(l.component_id) FILTER (WHERE f.free IS NULL AND l.id IS NOT NULL) AS uncounted
  FROM made m JOIN inventory_item p ON p.id = m.item_id
  LEFT JOIN production_bomline l ON l.bom_id = m.bom_id
  LEFT JOIN inventory_item i ON i.id = l.component_id
  LEFT JOIN channels_sync_buildfigure f ON f.item_id = l.component_id
  LEFT JOIN LATERAL (
    SELECT div(coalesce(f.free, 0), i.step) * i.step AS usable,
           l.unit_denominator * m.makes * (100 - m.loss) AS parts,
           l.quantity * l.unit_numerator * (100 + l.scrap_percent) * p.step AS need
    WHERE NOT (l.is_consumable OR l.is_optional OR i.kind = 'service')
  ) n ON true
  LEFT JOIN LATERAL (SELECT ({startable}) * p.step AS makeable) x ON true
  GROUP BY m.item_id, m.bom_id
)
SELECT c.item_id, c.makeable, n.makeable, c.is_odd, c.bom_id, c.uncounted
FROM counted c LEFT JOIN channels_sync_buildfigure n ON n.item_id = c.item_id
WHERE c.is_odd OR c.uncounted IS NOT NULL OR n.makeable IS DISTINCT FROM c.makeable OR n.bom_id IS DISTINCT FROM c.bom_id
UNION ALL
SELECT b.item_id, 0, b.makeable, false, NULL, NULL FROM channels_sync_buildfigure b
WHERE {of_boms} AND b.makeable IS DISTINCT FROM 0 AND NOT EXISTS (SELECT FROM in_force m WHERE m.item_id = b.item_id)
"""
_MAKEABLE_OF_SOME = _MAKEABLE.format(
    of_boms="b.item_id = ANY(%(items)s::bigint[])", in_force=IN_FORCE, startable=_STARTABLE, due="true"
)
_MAKEABLE_BETWEEN = _MAKEABLE.format(
    of_boms="b.item_id > %(low)s AND b.item_id <= %(high)s",
    in_force=IN_FORCE,
    startable=_STARTABLE,
    due="n.makeable IS NULL OR n.is_odd OR n.bom_id IS DISTINCT FROM m.bom_id OR m.item_id %% 24 = %(hour)s",
)
"""Products of which anything changed, and a part of all others that differs from hour to hour, to be sure."""


def _makeable(items: Collection[int], *, now: datetime) -> tuple[set[int], list[Statement], bool]:
    """How many could be made of items: those where that is another number than before, the notes that are still to be sent, and
    whether any rule has products divide what could be built.

    What is free of a component that nobody counted yet is counted first.
    """
    asked = _MAKEABLE_OF_SOME, {"items": numbers(items), "on": timezone.localdate(now)}
    rows, ((divides,),) = in_one_trip(asked, division_statement(at=now))
    if missing := {component for *_, uncounted in rows for component in uncounted or ()}:
        _note_free(missing, now=now)
        rows = rows_of(*asked)
    return *_changed_with_notes(rows, now=now), bool(divides)


@operation
def _note_makeable_between(low: int, high: int, *, now: datetime) -> None:
    _lock()
    arguments = {"low": low, "high": high, "hour": now.hour, "on": timezone.localdate(now)}
    changed, notes = _changed_with_notes(rows_of(_MAKEABLE_BETWEEN, arguments), now=now)
    for note in notes:
        execute(*note)
    tell_changed(items=sorted(changed), cause="buildable")


def _changed_with_notes(rows: Rows, *, now: datetime) -> tuple[set[int], list[Statement]]:
    """What a statement of _MAKEABLE answered: the items whose number it changes, and the note of it, still to be sent."""
    found = {item_id: makeable for item_id, makeable, *_ in rows}
    odd = [item_id for item_id, _, _, is_odd, *_ in rows if is_odd]
    inside: set[int] = set()
    if odd:
        structures = load_structures(items=odd, whole=False, on=timezone.localdate(now))
        stock = availability(items=list(structures.items), at=now)
        found |= {item_id: makeable_of(item_id, structures, stock).quantity for item_id in odd}
        inside = {line.component_id for bom in structures.boms.values() for line in bom.lines if line.explodes}
    notes: list[Statement] = []
    if rows:
        parameters = [
            numbers(found),
            numbers(found.values()),
            numbers(bom_id for *_, bom_id, _ in rows),
            flags(is_odd for _, _, _, is_odd, *_ in rows),
        ]
        notes.append((_NOTE_MAKEABLE, parameters))
    changed = {item_id for item_id, _, before, *_ in rows if before != found[item_id]}
    if inside:
        BuildFigure.objects.bulk_create(
            [BuildFigure(item_id=item_id, is_inside=True) for item_id in sorted(inside)],
            update_conflicts=True,
            unique_fields=["item"],
            update_fields=["is_inside"],
        )
    return changed, notes


_NOTE_MAKEABLE = """
INSERT INTO channels_sync_buildfigure (item_id, makeable, bom_id, is_odd, is_inside)
SELECT u.item_id, u.makeable, u.bom_id, u.is_odd, false
FROM unnest(%s::bigint[], %s::numeric[], %s::bigint[], %s::boolean[]) AS u(item_id, makeable, bom_id, is_odd)
ORDER BY u.item_id
ON CONFLICT (item_id) DO UPDATE SET makeable = excluded.makeable, bom_id = excluded.bom_id, is_odd = excluded.is_odd
"""
