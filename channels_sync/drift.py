"""What a figure that was read back says: whether it differs from ours, why, and what follows. Pure: no database, no clock.

A difference is told apart by evidence, never by its size alone. What the evidence does not decide is called unexplained, for a
drop may be a sale, and to overwrite a sale is to sell the same thing twice. For the same reason only two causes can be
overwritten by a rule at all: what the channel never took, and what somebody there set by hand.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum


class Cause(StrEnum):
    NOT_APPLIED = "not_applied"  # the channel still shows what it showed before our figure
    EDITED = "edited"  # changed there by somebody or something that is not an order
    SOLD = "sold"  # orders of the channel, taken or cancelled, that are not imported yet
    MAPPING = "mapping"  # the listing is gone, or what it points to is something else now
    UNEXPLAINED = "unexplained"


class Response(StrEnum):
    OVERWRITE = "overwrite"  # send our figure again, through the guard and the outbox
    ALERT = "alert"  # tell a person
    ADOPT = "adopt"  # let the channel's lower figure be the most the listing shows; stock is never posted
    LEAVE = "leave"  # keep the reading, do nothing


ALLOWED: Mapping[Cause, frozenset[Response]] = {
    Cause.NOT_APPLIED: frozenset({Response.OVERWRITE, Response.ALERT, Response.LEAVE}),
    Cause.EDITED: frozenset(Response),
    Cause.SOLD: frozenset({Response.ALERT, Response.LEAVE}),
    Cause.MAPPING: frozenset({Response.ALERT, Response.LEAVE}),
    Cause.UNEXPLAINED: frozenset({Response.ALERT, Response.LEAVE}),
}
"""What a rule may do by itself about each cause."""
DEFAULTS: Mapping[Cause, Response] = {
    Cause.NOT_APPLIED: Response.OVERWRITE,
    Cause.EDITED: Response.ALERT,
    Cause.SOLD: Response.ALERT,
    Cause.MAPPING: Response.ALERT,
    Cause.UNEXPLAINED: Response.ALERT,
}


@dataclass(frozen=True, slots=True)
class DriftRules:
    """The rules of one channel. A cause without a response has its default."""

    settle: timedelta = timedelta(minutes=10)
    """How long the channel may take to show a figure; a younger difference is only watched."""
    responses: Mapping[Cause, Response] | None = None

    def __post_init__(self) -> None:
        if self.settle < timedelta(0):
            raise ValueError("settle is not below zero")
        for cause, response in (self.responses or {}).items():
            if response not in ALLOWED[cause]:
                raise ValueError(f"{response} is no response to {cause}; use {', '.join(sorted(ALLOWED[cause]))}")

    def response_to(self, cause: Cause) -> Response:
        return (self.responses or {}).get(cause, DEFAULTS[cause])


@dataclass(frozen=True, slots=True)
class Sent:
    """What was last sent of one listing. Quantities are whole units of the listing.

    `before` is what the channel showed before that figure, None when unknown. `was_confirmed` says that the channel was seen to
    show it; `committed` is what its orders held at that time, or before the figure was sent where it was not seen, None when
    unknown. `is_newest` is false while a newer figure waits or is on its way: nothing can be said then.
    """

    sku: str
    quantity: int
    sent_at: datetime
    before: int | None = None
    was_confirmed: bool = False
    committed: int | None = None
    is_newest: bool = True


@dataclass(frozen=True, slots=True)
class Shown:
    """What the channel shows. `quantity` is None where it stocks nothing of the listing at the location.

    `sku` is the channel's own, empty when it knows no such item. `changed_by` names the app or person the channel gives
    for a change after ours, empty when it gives none or it was us.
    """

    quantity: int | None
    sku: str
    read_at: datetime
    committed: int | None = None
    changed_by: str = ""


@dataclass(frozen=True, slots=True)
class Drift:
    """A difference, its cause with the evidence in words, and what follows from the rules.

    `delta` is theirs less ours in units of the listing, None where the channel shows nothing. `response` is None while the
    difference is younger than the settle time. `since` is when it began to count.
    """

    cause: Cause
    ours: int
    theirs: int | None
    words: str
    since: datetime
    response: Response | None

    @property
    def delta(self) -> int | None:
        return None if self.theirs is None else self.theirs - self.ours

    @property
    def is_watched(self) -> bool:
        return self.response is None


def examine(*, sent: Sent, shown: Shown, rules: DriftRules, first_seen_at: datetime | None = None) -> Drift | None:
    """What one reading says; None: the figures agree, or they cannot be compared.

    A reading from before the figure was sent, or while a newer one waits, compares nothing. `first_seen_at` is when an earlier
    reading saw this listing differ without a matching one in between; what was sent after that begins the wait anew.
    """
    if not sent.is_newest or shown.read_at < sent.sent_at:
        return None
    if shown.sku == sent.sku and shown.quantity == sent.quantity:
        return None
    cause, words = _cause_of(sent, shown)
    since = max(sent.sent_at, first_seen_at or shown.read_at)
    response = None if shown.read_at - since < rules.settle else _response(cause, sent, shown, rules)
    return Drift(cause, sent.quantity, shown.quantity, words, since, response)


def _cause_of(sent: Sent, shown: Shown) -> tuple[Cause, str]:
    if not shown.sku:
        return Cause.MAPPING, f"The channel no longer knows the item {sent.sku} is linked to."
    if shown.sku != sent.sku:
        return Cause.MAPPING, f"The item {sent.sku} is linked to carries the SKU {shown.sku} on the channel."
    if shown.quantity is None:
        return Cause.MAPPING, f"The channel does not stock {sent.sku} at the chosen location."
    ordered = None if sent.committed is None or shown.committed is None else shown.committed - sent.committed
    if not sent.was_confirmed:
        # A raise that was applied and sold down to the earlier figure looks the same, unless orders stood still.
        cannot_be_sold = shown.quantity > sent.quantity or ordered == 0
        if shown.quantity == sent.before and cannot_be_sold and not shown.changed_by:
            return (
                Cause.NOT_APPLIED,
                f"The channel took {sent.quantity}, was never seen to show it, and still shows {sent.before} as before.",
            )
        if shown.changed_by:
            return Cause.EDITED, f"{shown.changed_by} changed it on the channel after our {sent.quantity}."
        return (
            Cause.UNEXPLAINED,
            f"The channel was never seen to show our {sent.quantity}; it may have been sold since.",
        )
    fallen = sent.quantity - shown.quantity
    if ordered is not None and ordered == fallen:
        if ordered > 0:
            return Cause.SOLD, f"Orders of the channel hold {ordered} more than when it showed our {sent.quantity}."
        return Cause.SOLD, f"Orders of the channel hold {-ordered} fewer than when it showed our {sent.quantity}."
    if shown.changed_by:
        return Cause.EDITED, f"{shown.changed_by} changed it on the channel after it had shown our {sent.quantity}."
    if fallen < 0 and ordered == 0:
        return Cause.EDITED, f"It rose by {-fallen} while the channel's orders held the same: set or put back there."
    if ordered is not None and 0 < ordered < fallen:
        return Cause.UNEXPLAINED, f"It fell by {fallen}; orders of the channel account for {ordered} of them."
    return Cause.UNEXPLAINED, "Nothing the channel tells says whether it was sold or changed there."


def _response(cause: Cause, sent: Sent, shown: Shown, rules: DriftRules) -> Response:
    response = rules.response_to(cause)
    if response is Response.ADOPT and not (shown.quantity is not None and 0 <= shown.quantity < sent.quantity):
        return Response.ALERT  # a higher figure would promise what our stock does not hold
    return response


# --- what to read next ---

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A listing that could be read back. `quantity` is what it should show; `verified_at` is None when it never was."""

    listing_id: int
    quantity: int
    verified_at: datetime | None


def choose_sample(candidates: Iterable[Candidate], *, rows_max: int) -> list[int]:
    """The listings to read in one pass, at most `rows_max`, in listing order.

    Every other place goes to the one that was unverified longest, so that none is forgotten, and the rest to those with the
    fewest units left to sell, where a wrong figure oversells soonest; what shows zero comes last among these.
    """
    found = list(candidates)

    def unverified(one: Candidate) -> tuple[bool, datetime, int]:
        return one.verified_at is not None, one.verified_at or _NEVER, one.listing_id

    def risk(one: Candidate) -> tuple[bool, int, tuple[bool, datetime, int]]:
        return one.quantity == 0, one.quantity, unverified(one)

    orders = (iter(sorted(found, key=unverified)), iter(sorted(found, key=risk)))
    chosen: set[int] = set()
    for place in range(min(rows_max, len(found))):
        chosen.add(next(one.listing_id for one in orders[place % 2] if one.listing_id not in chosen))
    return sorted(chosen)
