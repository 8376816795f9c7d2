"""Everything a recall needs to know: which lots are affected, where they lie, what they became, and who got them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils import timezone

from inventory.models import Posting, Reservation, StockBalance, StockStatus
from inventory.quantities import ZERO
from inventory.reads.genealogy import Edge, Genealogy, Node, genealogy, postings_of
from inventory.reads.lot_ends import LotEnd, lot_ends

RECALL_LOTS_MAX = 200
"""Lots one recall begins with."""
SENT_OUT = frozenset({"shipment", "issue"})


@dataclass(frozen=True, slots=True)
class Recall:
    """One or several lots and all that came of them."""

    found: Genealogy
    cells: Sequence[StockBalance]
    """What is on hand of all affected lots, with item, lot and location."""
    reservations: Sequence[Reservation]
    """Promises of these lots that still hold."""
    ends: Sequence[LotEnd]
    """How affected lots came in and left for good."""
    postings: dict[int, Posting]
    """Of the edges, by id."""

    @property
    def nodes(self) -> list[Node]:
        """Affected lots, the roots first, then level by level."""
        roots = set(self.found.roots)
        return sorted(
            self.found.nodes.values(),
            key=lambda node: (node.lot.pk not in roots, node.level, node.lot.item.sku, node.lot.code),
        )

    @property
    def shipments(self) -> list[LotEnd]:
        """What left for customers or for another use."""
        return [end for end in self.ends if end.kind in SENT_OUT and end.quantity < ZERO]

    @property
    def other_ends(self) -> list[LotEnd]:
        """What left otherwise (scrapped, written off, sent back), and customers' returns."""
        return [
            end
            for end in self.ends
            if (end.quantity < ZERO and end.kind not in SENT_OUT) or end.kind == "customer_return"
        ]

    @property
    def completions(self) -> list[Edge]:
        return self.found.edges

    def on_hand(self, lot_id: int) -> Decimal:
        return sum((cell.quantity for cell in self.cells if cell.lot_id == lot_id), ZERO)

    @property
    def can_be_held(self) -> bool:
        """Whether anything on hand is not in quarantine yet."""
        return any(cell.status != StockStatus.QUARANTINE and cell.quantity > ZERO for cell in self.cells)


def recall(*, lots: Iterable[int]) -> Recall:
    """What lots (ids) went into and where all of that is. As many statements as there are levels, and six."""
    found = genealogy(lots=lots, direction="forward")
    ids = list(found.nodes)
    cells = (
        StockBalance.objects.on_hand()
        .filter(lot_id__in=ids)
        .select_related("item", "lot", "location")
        .order_by("item__sku", "lot__code", "location__path", "status")
    )
    reservations = (
        Reservation.objects.open(at=timezone.now())
        .filter(lot_id__in=ids)
        .select_related("item", "lot", "location")
        .order_by("demand_kind", "demand_ref", "pk")
    )
    ends = lot_ends(lots=[node.lot for node in found.nodes.values()])
    return Recall(found, list(cells), list(reservations), ends, postings_of(found))


RECALL_HEADER = (
    "What",
    "SKU",
    "Item",
    "Lot",
    "Supplier lot",
    "Expires",
    "Certain",
    "Place",
    "Status",
    "Quantity",
    "Unit",
    "Posting",
    "Kind",
    "Reference",
    "Demand",
    "When",
    "From SKU",
    "From lot",
    "From quantity",
)


def recall_rows(answer: Recall) -> Iterator[list[str | int | Decimal | None]]:
    """The recall as one table (RECALL_HEADER): affected lots, stock by place, completions, shipments, the rest."""
    nodes = answer.found.nodes
    for node in answer.nodes:
        yield _row(node, what="Affected lot", quantity=answer.on_hand(node.lot.pk))
    for cell in answer.cells:
        status = StockStatus(cell.status).label
        yield _row(nodes[cell.lot_id], what="On hand", place=cell.location.code, status=status, quantity=cell.quantity)
    for edge in answer.completions:
        source = nodes[edge.source_id]
        yield [
            *_row(nodes[edge.target_id], what="Made", quantity=edge.made, posting=answer.postings[edge.posting_id])[
                :-3
            ],
            source.lot.item.sku,
            source.lot.code,
            edge.taken,
        ]
    for ends, what in ((answer.shipments, "Shipped or issued"), (answer.other_ends, "Other movement")):
        for end in ends:
            yield [
                *_row(nodes[end.lot_id], what=what, quantity=-end.quantity)[:11],
                end.posting_id,
                end.kind_label,
                end.reference,
                ", ".join(end.demands),
                f"{timezone.localtime(end.effective_at):%Y-%m-%d %H:%M}",
                "",
                "",
                "",
            ]


def _row(
    node: Node,
    *,
    what: str,
    quantity: Decimal,
    place: str = "",
    status: str = "",
    posting: Posting | None = None,
) -> list[str | int | Decimal | None]:
    lot = node.lot
    return [
        what,
        lot.item.sku,
        lot.item.name,
        lot.code or "not tracked",
        lot.supplier_lot,
        lot.expires_on.isoformat() if lot.expires_on else "",
        "yes" if node.is_certain else "possibly",
        place,
        status,
        quantity,
        lot.item.stock_unit,
        "" if posting is None else posting.pk,
        "" if posting is None else posting.get_kind_display(),
        "" if posting is None else posting.reference,
        "",
        "" if posting is None else f"{timezone.localtime(posting.effective_at):%Y-%m-%d %H:%M}",
        "",
        "",
        "",
    ]
