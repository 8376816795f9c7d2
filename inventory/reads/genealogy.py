"""What a lot became and what it was made from: through completions, disassemblies and changes of lot, any number of levels.

A step is one posting that took from some lots and put into others. What reversals gave back is taken off. Both ways are
read level by level, one statement each. The one lot of an untracked item holds goods of every age; from there only what
left it after the goods in question came in is followed (the other way: what came in before they left), and all beyond it
is marked as possible and not certain. Parts that come back of a disassembly go to the lot they once came from: from there
too only what left it afterwards is followed, since what was made of that lot before has nothing of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, NamedTuple

from django.db import connection

from inventory.arrays import numbers
from inventory.models import Lot, Posting, PostingKind
from inventory.quantities import ZERO

Direction = Literal["forward", "backward"]
PUT_BACK = frozenset({PostingKind.DISASSEMBLY.value, PostingKind.REWORK.value})
"""Kinds that put goods into lots which are older than they are."""
REWORK = PostingKind.REWORK.value
DEPTH_MAX = 40
"""Levels that are followed; a BOM is rarely deeper than ten."""
EDGES_MAX = 50_000
"""Steps that are read in all; beyond them the answer says that it was cut."""


@dataclass(frozen=True, slots=True)
class Step:
    """One posting that made lots from lots, net of its reversals. Quantities are in the stock unit of each lot's item."""

    posting_id: int
    kind: str
    taken: Mapping[int, Decimal]  # by lot: what left it
    made: Mapping[int, Decimal]  # by lot: what came into it


@dataclass(frozen=True, slots=True)
class Edge:
    """`taken` of one lot went into `made` of another, together with whatever else that posting took."""

    posting_id: int
    kind: str
    source_id: int
    target_id: int
    taken: Decimal
    made: Decimal


@dataclass(slots=True)
class Node:
    """A lot that was reached. `level` is how many steps away; `is_certain` is False beyond goods without lots."""

    lot: Lot
    level: int
    is_certain: bool


@dataclass(slots=True)
class Genealogy:
    """All lots that were reached from the roots, the roots among them, and the edges between them."""

    direction: Direction
    roots: tuple[int, ...]
    nodes: dict[int, Node] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    is_cut: bool = False

    def next_edges(self) -> dict[int, list[Edge]]:
        """Edges by the lot they lead on from, in the direction that was asked for."""
        found: dict[int, list[Edge]] = {}
        for edge in self.edges:
            here = edge.source_id if self.direction == "forward" else edge.target_id
            found.setdefault(here, []).append(edge)
        return found

    def far_end(self, edge: Edge) -> int:
        return edge.target_id if self.direction == "forward" else edge.source_id


def genealogy(*, lots: Iterable[int], direction: Direction) -> Genealogy:
    """Everything that lots (ids) went into, or that went into them. One statement a level, two more for the lots."""
    roots = tuple(dict.fromkeys(lots))
    found = Genealogy(direction, roots)
    known = {lot.pk: lot for lot in Lot.objects.filter(pk__in=roots).select_related("item")}
    for lot_id in roots:
        if lot_id in known:
            found.nodes[lot_id] = Node(known[lot_id], 0, is_certain=True)
    edges: dict[tuple[int, int, int], Edge] = {}
    limits: dict[int, int | None] = dict.fromkeys(found.nodes)
    frontier = set(found.nodes)
    for level in range(1, DEPTH_MAX + 1):
        if not frontier:
            break
        steps = _steps([found.nodes[lot_id].lot for lot_id in sorted(frontier)], direction)
        reached = _follow(found, steps, frontier, limits, edges)
        _load(found, known, {arrival.lot_id for arrival in reached}, level)
        frontier = _advance(found, reached, limits, level)
        if len(edges) > EDGES_MAX:
            break
    found.is_cut = bool(frontier)
    found.edges = sorted(edges.values(), key=lambda edge: (edge.posting_id, edge.source_id, edge.target_id))
    return found


class _Arrival(NamedTuple):
    """A lot that was reached, the step that led to it and the lot it was reached from."""

    lot_id: int
    step: Step
    from_id: int


def _follow(
    found: Genealogy,
    steps: Sequence[Step],
    frontier: set[int],
    limits: Mapping[int, int | None],
    edges: dict[tuple[int, int, int], Edge],
) -> list[_Arrival]:
    """Note the edges that lead on from the frontier."""
    reached = []
    is_forward = found.direction == "forward"
    for step in steps:
        near, far = (step.taken, step.made) if is_forward else (step.made, step.taken)
        for here in near:
            if here not in frontier or not _leads_on(step, found, here, limits[here]):
                continue
            for there in far:
                source, target = (here, there) if is_forward else (there, here)
                edges[(step.posting_id, source, target)] = Edge(
                    step.posting_id, step.kind, source, target, step.taken[source], step.made[target]
                )
                reached.append(_Arrival(there, step, here))
    return reached


def _leads_on(step: Step, found: Genealogy, here: int, limit: int | None) -> bool:
    """Whether the goods in question can have gone through a step out of a lot (backwards: into it)."""
    if limit is None:
        return True
    if found.direction == "forward":
        return step.posting_id > limit
    return step.posting_id < limit or not _keeps_order(step, found.nodes[here].lot)


def _keeps_order(step: Step, lot: Lot) -> bool:
    """Whether what a step put into a lot is only in what leaves that lot later."""
    return lot.is_implicit or step.kind in PUT_BACK


def _advance(found: Genealogy, reached: Sequence[_Arrival], limits: dict[int, int | None], level: int) -> set[int]:
    """Lots to go on from: new ones, and those about which more is known now (an earlier arrival, certainty)."""
    frontier: set[int] = set()
    for lot_id, step, from_id in reached:
        origin = found.nodes[from_id]
        node = found.nodes[lot_id]
        is_certain = origin.is_certain and not origin.lot.is_implicit and not node.lot.is_implicit
        limit: int | None = step.posting_id
        if found.direction == "forward" and not _keeps_order(step, node.lot):
            limit = None
        if lot_id not in limits:
            node.level, node.is_certain = level, is_certain
            limits[lot_id] = limit
            frontier.add(lot_id)
            continue
        if is_certain and not node.is_certain:
            node.is_certain = True
            frontier.add(lot_id)
        if _is_wider(limit, limits[lot_id], found.direction):
            limits[lot_id] = limit
            frontier.add(lot_id)
    return frontier


def _is_wider(limit: int | None, known: int | None, direction: Direction) -> bool:
    if known is None or limit is None:
        return known is not None
    return limit < known if direction == "forward" else limit > known


def _load(found: Genealogy, known: dict[int, Lot], wanted: set[int], level: int) -> None:
    missing = wanted - set(known)
    if missing:
        known.update({lot.pk: lot for lot in Lot.objects.filter(pk__in=missing).select_related("item")})
    for lot_id in wanted - set(found.nodes):
        found.nodes[lot_id] = Node(known[lot_id], level, is_certain=False)


_STEPS = """
WITH touched AS (
  SELECT DISTINCT p.id, p.kind FROM inventory_movement m JOIN inventory_posting p ON p.id = m.posting_id
  WHERE m.item_id = ANY(%s::bigint[]) AND m.lot_id = ANY(%s::bigint[]) AND m.quantity {sign} 0
    AND p.kind IN ('completion', 'disassembly', 'rework', 'lot_change')
), family AS (
  SELECT t.id AS step, t.kind, t.id AS posting_id FROM touched t
  UNION ALL SELECT t.id, t.kind, r.id FROM touched t JOIN inventory_posting r ON r.reverses_id = t.id
)
SELECT f.step, f.kind, m.lot_id, sum(m.quantity) FROM family f JOIN inventory_movement m ON m.posting_id = f.posting_id
GROUP BY 1, 2, 3, f.kind = 'rework' AND (m.quantity > 0) = (f.posting_id = f.step) HAVING sum(m.quantity) <> 0 ORDER BY 1, 3, 4
"""


def _steps(lots: Sequence[Lot], direction: Direction) -> list[Step]:
    """Postings that took from these lots (forward) or put into them (backward), with all they took and made.

    By item first: movements are found by item, the lots only narrow them. Reworked goods leave their lot and come back to it:
    they count as made, of the components they took.
    """
    sql = _STEPS.format(sign="<" if direction == "forward" else ">")
    found: dict[int, tuple[str, dict[int, Decimal], dict[int, Decimal]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(sql, [numbers(sorted({lot.item_id for lot in lots})), numbers(lot.pk for lot in lots)])
        for posting_id, kind, lot_id, quantity in cursor.fetchall():
            _, taken, made = found.setdefault(posting_id, (kind, {}, {}))
            if quantity < ZERO:
                taken[lot_id] = -quantity
            else:
                made[lot_id] = quantity
    for kind, taken, made in found.values():
        if kind == REWORK:
            for lot_id in taken.keys() & made.keys():
                del taken[lot_id]
    return [Step(posting_id, kind, taken, made) for posting_id, (kind, taken, made) in found.items()]


# --- As a tree --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TreeRow:
    """A line of the tree: a lot and the edge that led to it. `is_repeated`: what hangs on it was shown above."""

    depth: int
    node: Node
    edge: Edge | None
    is_repeated: bool = False


def as_tree(found: Genealogy, *, rows_max: int = 500) -> tuple[list[TreeRow], int]:
    """The genealogy as indented lines, each lot opened once; and how many lines were left out beyond `rows_max`."""
    following = found.next_edges()
    rows: list[TreeRow] = []
    opened: set[int] = set()
    left_out = 0
    waiting: list[tuple[int, int, Edge | None]] = [
        (root, 0, None) for root in reversed(found.roots) if root in found.nodes
    ]
    while waiting:
        lot_id, depth, edge = waiting.pop()
        is_repeated = lot_id in opened
        if len(rows) < rows_max:
            rows.append(TreeRow(depth, found.nodes[lot_id], edge, is_repeated and bool(following.get(lot_id))))
        else:
            left_out += 1
        if is_repeated:
            continue
        opened.add(lot_id)
        waiting += [(found.far_end(one), depth + 1, one) for one in reversed(following.get(lot_id, []))]
    return rows, left_out


def postings_of(found: Genealogy) -> dict[int, Posting]:
    """The postings behind the edges, by id. One statement."""
    return Posting.objects.in_bulk({edge.posting_id for edge in found.edges})
