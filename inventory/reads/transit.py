"""What is on the road between our places, and for how long."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from django.conf import settings
from django.db.models import F, Prefetch, QuerySet
from django.utils import timezone

from inventory.models import Item, Location, StockTransfer, StockTransferLine, TransferState


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A transfer with what of it is on the road; `age_days` are whole days since it left."""

    transfer: StockTransfer
    lines: tuple[StockTransferLine, ...]
    on: date
    """The day it is looked at."""
    age_days: int
    is_old: bool
    """More than TRANSIT_LATE_DAYS_MAX days past its expected day; without one, on the road for more than TRANSIT_DAYS_MAX."""
    is_late: bool
    """Expected before today."""

    @property
    def days_late(self) -> int:
        """Whole days since its expected day, of one that is late; else 0."""
        day = self.transfer.expected_on
        return (self.on - day).days if self.is_late and day is not None else 0

    @property
    def too_long(self) -> str:
        """Why it is pointed out, in words; empty when it is not."""
        if not self.is_old:
            return ""
        if self.transfer.expected_on is None:
            return f"more than {settings.TRANSIT_DAYS_MAX} days, and no day is expected"
        return f"more than {settings.TRANSIT_LATE_DAYS_MAX} days past the expected day"


def transfers_with_lines() -> QuerySet[StockTransfer]:
    """Transfers, newest first, with everything a page or an answer shows of them."""
    lines = StockTransferLine.objects.select_related("item", "lot").order_by("id")
    places = StockTransfer.objects.select_related("source", "target", "transit", "created_by")
    return places.prefetch_related(Prefetch("lines", lines)).order_by("-pk")


def in_transit(*, at: datetime | None = None) -> list[UnderWay]:
    """Every transfer of which something is on the road, the longest under way first. Two queries."""
    transfers = transfers_with_lines().under_way().order_by("dispatched_at", "pk")  # type: ignore[attr-defined]
    return ages(transfers, at=at)


def is_on_the_road(*, item: Item, at: Location) -> bool:
    """Whether a transfer has some of an item standing at a place for goods on the road."""
    under_way = StockTransferLine.objects.filter(
        item=item, transfer__transit=at, transfer__state=TransferState.IN_TRANSIT
    )
    return under_way.filter(quantity__gt=F("received") + F("lost")).exists()


def ages(transfers: Iterable[StockTransfer], *, at: datetime | None = None) -> list[UnderWay]:
    """Transfers with their age; a closed one is as old as it became."""
    now = at or timezone.now()
    return [_age(transfer, now) for transfer in transfers]


def _age(transfer: StockTransfer, now: datetime) -> UnderWay:
    is_open = transfer.closed_at is None
    days = max(0, ((transfer.closed_at or now) - transfer.dispatched_at).days)
    on_road = tuple(line for line in transfer.lines.all() if line.quantity > line.received + line.lost)
    today, day = timezone.localdate(now), transfer.expected_on
    late = (today - day).days if day is not None else 0
    is_old = late > settings.TRANSIT_LATE_DAYS_MAX if day is not None else days > settings.TRANSIT_DAYS_MAX
    return UnderWay(
        transfer=transfer,
        lines=on_road if is_open else (),
        on=today,
        age_days=days,
        is_old=is_open and is_old,
        is_late=is_open and late > 0,
    )
