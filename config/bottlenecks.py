"""Where work is stuck now, the worst place first: what stops most orders, products or listings.

Each thing that is stopped counts one, whatever its kind, so that the order can be told in a sentence and checked by counting.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Count, F
from django.urls import reverse
from django.utils import timezone

from channels_sync.models import Difference, Hold, HoldState, ListingPush
from channels_sync.models.pushes import SEND_ATTEMPTS_MAX
from inventory.models import ExceptionCase
from production.operations.detecting import KIND as MISSED
from production.reads.shortages import shortages

ORDERS_LOOKED_AT = 200
"""The most urgent unfinished orders; what stops none of them does not stop the business today."""


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """A place where work is stuck: how many things it stops, in words, what stands out among them, and where to act."""

    stops: int
    icon: str
    text: str
    detail: str
    url: str
    action: str


def bottlenecks(user: User | AnonymousUser) -> list[Bottleneck]:
    """What the person may see of them, the most stopped things first. A fixed number of statements."""
    found: list[Bottleneck] = []
    if user.has_perm("production.view_workorder"):
        found += _shortage()
    if user.has_perm("inventory.view_exceptioncase"):
        found += _missed()
    if user.has_perm("channels_sync.view_difference"):
        found += _drift()
    if user.has_perm("channels_sync.view_hold"):
        found += _held()
    if user.has_perm("channels_sync.view_listing"):
        found += _unsent()
    return sorted(found, key=lambda one: -one.stops)


def _shortage() -> Iterable[Bottleneck]:
    short = shortages(orders_max=ORDERS_LOOKED_AT)
    if not short:
        return
    by_component = Counter(line.component for order in short for line in order.lines)
    component, times = min(by_component.items(), key=lambda one: (-one[1], one[0].sku))
    uncovered = sum(any(line.uncovered for line in order.lines) for order in short)
    yield Bottleneck(
        len(short),
        "inventory_2",
        f"{_many(len(short), 'work order')} cannot be finished with what is in stock",
        f"{component.sku} {component.name} is short in {_many(times, 'of them', 'of them')}; "
        f"for {_many(uncovered, 'order')} not everything missing is on its way.",
        f"{reverse('production:order_shortages')}?by=component",
        "Shortages",
    )


def _missed() -> Iterable[Bottleneck]:
    cases = ExceptionCase.objects.waiting(at=timezone.now()).filter(kind=MISSED).order_by("opened_at")
    count, first = cases.count(), cases.first()
    if first is not None:
        yield Bottleneck(
            count,
            "assignment_late",
            f"{_many(count, 'product')} with completions that are probably not recorded",
            f"The oldest: {first.title}",
            f"{reverse('exceptions:exceptions')}?kind={MISSED}",
            "Record them",
        )


def _drift() -> Iterable[Bottleneck]:
    by_channel = list(
        Difference.objects.filter(ended_at__isnull=True)
        .values_list("channel__name")
        .annotate(many=Count("pk"))
        .order_by("-many", "channel__name")
    )
    if by_channel:
        count = sum(many for _, many in by_channel)
        name, most = by_channel[0]
        yield Bottleneck(
            count,
            "difference",
            f"{_many(count, 'listing')} {'shows' if count == 1 else 'show'} another figure than ours",
            f"Most of them on {name}: {most}." if len(by_channel) > 1 else f"On {name}.",
            reverse("channels_sync:drift"),
            "Differences",
        )


def _held() -> Iterable[Bottleneck]:
    waiting = Hold.objects.filter(state=HoldState.OPEN)
    count, oldest = waiting.count(), waiting.select_related("listing__channel").order_by("pk").first()
    if oldest is not None:
        yield Bottleneck(
            count,
            "pan_tool",
            f"{_many(count, 'listing')} {'waits' if count == 1 else 'wait'} for a decision before the channel is told",
            f"The oldest: {oldest.listing.external_sku} on {oldest.listing.channel.name}.",
            f"{reverse('channels_sync:runs')}?waits=1",
            "Decide",
        )


def _unsent() -> Iterable[Bottleneck]:
    count = ListingPush.objects.filter(version__gt=F("sent_version"), attempts__gte=SEND_ATTEMPTS_MAX).count()
    if count:
        yield Bottleneck(
            count,
            "sync_problem",
            f"{_many(count, 'listing')} could not be sent and {'was' if count == 1 else 'were'} given up",
            f"The channel refused each of them {SEND_ATTEMPTS_MAX} times.",
            f"{reverse('channels_sync:listings')}?state=failing",
            "Look",
        )


def _many(count: int, one: str, more: str = "") -> str:
    return f"{count} {one if count == 1 else more or one + 's'}"
