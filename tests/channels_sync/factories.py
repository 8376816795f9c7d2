"""Channels, listings and a fake shop for the publishing tests."""

from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count

from channels_sync.adapters.base import (
    DERIVED_KEYS,
    Capability,
    ChannelLimits,
    ChannelLocation,
    DiscoveredListing,
    ListingMatch,
    ListingMatchState,
    PushOutcome,
    PushState,
    QuantityMeaning,
    QuantityReading,
)
from channels_sync.credentials import Secrets, encrypt
from channels_sync.errors import ChannelUnavailable
from channels_sync.models import Channel, ChannelGuard, ChannelMode, Listing, ListingPush, SendingAccount
from channels_sync.operations.offering import create_listing
from tests.factories import make_item

_numbers = count(1)
PLACE = "place-1"


class WorkerKilled(BaseException):
    """What a kill -9 looks like from inside: nothing after it runs, no handler catches it."""


class FakeShop:
    """A channel that behaves like one with compare-and-set and idempotency keys, and fails as it is told to.

    Like Shopify it does a call as a whole or not at all, once per key, and knows a call by what it carries: another one under
    a key that was used is refused. What is done with rows that are left over is what an adapter does.

    `faults` is a queue of one word per call that changes something: ok, refuse, stale, unavailable (nothing done),
    throttled (nothing done), lose_answer (done, no answer), twice (done twice), later, kill_before, kill_after; delayed and
    delayed_and_killed (no answer, and the call is `on_its_way` until `deliver_delayed`); lose_rest and delay_rest, when a refusal
    leaves rows over: what was refused has its answer, and the further call with the others has none.
    `before_work` and `during_call` are called while a call is on its way: before the shop does its work, and after it.
    """

    name = "fake"
    capabilities = frozenset(Capability)
    limits = ChannelLimits(250, 250, 1_000_000_000, 2_000, 100, 10)
    quantity_meaning = QuantityMeaning.AVAILABLE

    def __init__(self):
        self.figures = {}  # external item id -> available
        self.items = {}  # sku -> external item id
        self.unstocked = set()
        self.answers = {}  # idempotency key -> (what the call carried, items found stale)
        self.remembers_refusals = True
        self.on_its_way = []  # (key, pushes) of calls that arrive some time
        self.applied = []  # (listing_ref, version, quantity), in the order the shop did it
        self.calls = []  # pushes of each call
        self.reads = 0
        self.faults = deque()
        self.read_faults = deque()
        self.before_work = None
        self.during_call = None
        self.last_calls = []  # (key, pushes)
        self.places = [ChannelLocation(PLACE, "Warehouse", True, True, False, "US", "")]

    def close(self):
        pass

    def add(self, sku, available=0):
        self.items[sku] = f"item-{sku}"
        self.figures[f"item-{sku}"] = available

    def shows(self, listing):
        return self.figures[f"item-{listing.external_sku}"]

    def sell(self, listing, quantity=1):
        self.figures[f"item-{listing.external_sku}"] -= quantity

    # --- what the product calls ---

    def locations(self):
        return self.places

    def discover_listings(self, skus):
        matches = []
        for sku in skus:
            if sku in self.items:
                found = DiscoveredListing(sku, f"Title of {sku}", self.items[sku], "variant", "product", True)
                matches.append(ListingMatch(sku, ListingMatchState.FOUND, (found,)))
            else:
                matches.append(ListingMatch(sku, ListingMatchState.MISSING))
        return matches

    def connect_listing(self, *, external_item_id, external_location_id, available, idempotency_key):
        if external_item_id in self.unstocked:
            self.unstocked.discard(external_item_id)
            self.figures[external_item_id] = available or 0
        return self._reading("", external_item_id)

    def read_quantities(self, targets):
        self.reads += 1
        if self.read_faults and self.read_faults.popleft() == "unavailable":
            raise ChannelUnavailable("The shop does not answer.")
        return [self._reading(target.listing_ref, target.external_item_id) for target in targets]

    def read_location(self, external_location_id):
        return iter([self._reading("", item) for item in self.figures])

    def _reading(self, ref, item):
        figure = None if item in self.unstocked else self.figures[item]
        sku = item.removeprefix("item-")
        return QuantityReading(ref, item, PLACE, sku, figure, figure, 0, datetime.now(UTC))

    def publish_quantities(self, pushes, *, keys=DERIVED_KEYS):
        self.calls.append(list(pushes))
        fault = self.faults.popleft() if self.faults else "ok"
        if fault == "kill_before":
            raise WorkerKilled
        if fault in ("unavailable", "throttled"):
            self._meanwhile()
            raise ChannelUnavailable("The shop asks for patience.", retry_after_seconds=1)
        if fault == "refuse":
            return [
                PushOutcome(push.listing_ref, PushState.REJECTED, "NON_MUTABLE", "It is a bundle.") for push in pushes
            ]
        if fault == "later":
            return [PushOutcome(push.listing_ref, PushState.RETRY_LATER, "BUSY", "Busy.") for push in pushes]
        (key,) = {push.idempotency_key for push in pushes}
        if fault.startswith("delayed"):
            self.on_its_way.append((key, tuple(pushes)))
            self._meanwhile()
            if fault == "delayed_and_killed":
                raise WorkerKilled
            raise ChannelUnavailable("The shop did not answer.", outcome_unknown=True)
        if self.before_work is not None:
            callback, self.before_work = self.before_work, None
            callback()
        self.last_calls.clear()
        outcomes = self._settle(key, tuple(pushes), keys, times=2 if fault == "twice" else 1, rest=fault)
        self._meanwhile()
        if fault == "kill_after":
            raise WorkerKilled
        if fault == "lose_answer":
            raise ChannelUnavailable("The connection broke.", outcome_unknown=True)
        return [outcomes[push.listing_ref] for push in pushes]

    def _settle(self, key, pushes, keys, *, times, rest):
        """What the adapter does: rows that are left over go again under the next key."""
        outcomes, left = {}, pushes
        while left:
            if rest == "delay_rest" and outcomes:
                self.on_its_way.append((key, left))
                raise ChannelUnavailable("Silence.", outcome_unknown=True, settled=tuple(outcomes.values()))
            self.last_calls.append((key, left))
            answer, *_again = [self._do(key, left) for _ in range(times)]
            if rest == "lose_rest" and outcomes:
                raise ChannelUnavailable("Silence.", outcome_unknown=True, settled=tuple(outcomes.values()))
            refs = [push.listing_ref for push in left]
            if answer == "failed before":
                key = keys.next_key(key, refs, is_spent=True)
            elif answer == "another call":
                return outcomes | {
                    ref: PushOutcome(ref, PushState.STALE, "MISMATCH", "Another call.", is_key_spent=True)
                    for ref in refs
                }
            elif not answer:
                return outcomes | {
                    push.listing_ref: PushOutcome(
                        push.listing_ref, PushState.ACCEPTED, channel_quantity=push.quantity, is_key_spent=True
                    )
                    for push in left
                }
            else:
                stale = [push.listing_ref for push in left if push.external_item_id in answer]
                outcomes |= {ref: PushOutcome(ref, PushState.STALE, "STALE", "It shows another.") for ref in stale}
                left = tuple(push for push in left if push.listing_ref not in stale)
                key = left and keys.next_key(key, [push.listing_ref for push in left], is_spent=False)
            if left and key is None:
                return outcomes | {
                    push.listing_ref: PushOutcome(push.listing_ref, PushState.RETRY_LATER, "TAKEN_OVER", "Not sent.")
                    for push in left
                }
        return outcomes

    def _do(self, key, pushes):
        """What the shop does with a call: it does all of it and answers an empty set, or nothing and answers why not."""
        carried = sorted((push.external_item_id, push.quantity, push.expected_quantity) for push in pushes)
        if key in self.answers:
            told, stale = self.answers[key]
            if told != carried:
                return "another call"
            return "failed before" if stale else stale
        stale = {
            push.external_item_id
            for push in pushes
            if push.expected_quantity is not None and self.figures[push.external_item_id] != push.expected_quantity
        }
        if not stale:
            for push in pushes:
                self.figures[push.external_item_id] = push.quantity
                self.applied.append((push.listing_ref, push.version, push.quantity))
        if not stale or self.remembers_refusals:
            self.answers[key] = (carried, stale)
        return stale

    def repeat_last_call(self):
        """The network delivers the last call once more, long after its answer."""
        for key, pushes in self.last_calls:
            self._do(key, pushes)

    def deliver_delayed(self, number=0):
        """A call that was on its way for however long arrives; nobody waits for its answer any more."""
        if self.on_its_way:
            self._do(*self.on_its_way.pop(number % len(self.on_its_way)))

    def _meanwhile(self):
        if self.during_call is not None:
            callback, self.during_call = self.during_call, None
            callback()


def make_channel(*, mode=ChannelMode.AUTO, sources=(), **fields):
    number = next(_numbers)
    channel = Channel.objects.create(
        code=fields.pop("code", f"shop-{number}"),
        name=fields.pop("name", f"Shop {number}"),
        adapter=fields.pop("adapter", "shopify"),
        base_url=fields.pop("base_url", "http://127.0.0.1:9"),
        mode=mode,
        external_location_id=fields.pop("external_location_id", PLACE),
        credentials=fields.pop("credentials", encrypt(Secrets(access_token="token"))),
        **fields,
    )
    channel.source_locations.set(sources)
    return channel


def make_listing(*, channel, item=None, shop=None, shows=0, **fields):
    """A listing the channel knows; `shop` shows `shows` of it. Nothing is worked out yet."""
    listing = create_listing(channel=channel, item=item or make_item(is_sellable=True), actor=None, **fields)
    if shop is not None:
        shop.add(listing.external_sku, shows)
    return listing


def let_all_flow(channel):
    """Switch every rule of the channel's guard off."""
    ChannelGuard.objects.create(
        channel=channel,
        changed_percent=None,
        to_zero_max=None,
        times_recent_max=None,
        above_possible=False,
        after_bulk=False,
        stale_sources=False,
    )
    return channel


def push_of(listing):
    return ListingPush.objects.get(listing=listing)


def line_of(listing, version=None):
    lines = Listing.objects.get(pk=listing.pk).publications
    return lines.get(version=version) if version else lines.order_by("-version").first()


def time_passes():
    """Back-offs and leases end, and silent accounts may be tried again."""
    SendingAccount.objects.update(quiet_until=None)
    ListingPush.objects.update(next_at=None)
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    ListingPush.objects.exclude(lease_until=None).update(lease_until=long_ago)


def survive(call, **arguments):
    """Run a worker that may be killed in the middle."""
    with suppress(WorkerKilled):
        return call(**arguments)
