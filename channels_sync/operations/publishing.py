"""Sending what is due: claim in a short transaction, talk to the channel with none open, write down the answers in another.

Every row is sent as a compare-and-set from the figure the channel was last known to show. A stale answer means that
figure is out of date: the channel is read, and either it shows the wanted figure already (an earlier answer was lost) or
the read figure becomes the one to start from. Every call goes under a key that is written down before it leaves, see
outbox.py; a listing whose last call was not answered is sent under the key of that call. Before anything is claimed, the
channel's hours and its account are asked.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils import timezone

from channels_sync.adapters.base import (
    ChannelAdapter,
    ListingConnector,
    PushOutcome,
    PushState,
    QuantityMeaning,
    QuantityPublisher,
    QuantityPush,
    QuantityReader,
    QuantityReading,
    QuantityTarget,
)
from channels_sync.adapters.registry import ADAPTERS
from channels_sync.errors import ChannelError, ChannelRejected, ChannelUnavailable, StaleQuantity
from channels_sync.models import Channel, ChannelMode
from channels_sync.operations.first_looks import judge_first_figures
from channels_sync.operations.metering import (
    Entry,
    account_answered,
    account_failed,
    enter,
    probe_unused,
)
from channels_sync.operations.offering import choose_location, link_claims
from channels_sync.operations.opening import open_channel
from channels_sync.operations.outbox import (
    Accepted,
    Adopted,
    Claim,
    Postponed,
    Refused,
    Released,
    Settlement,
    claim_due,
    note_shown_before,
    renew_key,
    settle,
    still_held,
)
from channels_sync.reads.sending import flow_now
from channels_sync.windows import Flow

logger = logging.getLogger(__name__)

ROUNDS_MAX = 3
"""How often one claim is sent before it waits: the first time and after each stale answer."""
SEND_SECONDS_MAX = 60.0
"""No new call to the channel begins later than this after the claim; well inside the lease."""
BLOCKED_AGAIN_SECONDS = 300.0
"""When a channel lets nobody in, it is asked again after this time, or at once after new credentials."""
RAISE_AGAIN_SECONDS = 60.0
"""What turned out to be a raise that may not go out now is looked at again after this time."""
PROBE_ROWS_MAX = 20
"""Rows that are risked on an account that was silent."""
REFERENCE = "gid://backflush/PublishRun/{run_id}"


@dataclass(slots=True)
class PublishResult:
    """Rows by what became of them."""

    claimed: int = 0
    accepted: int = 0
    stale: int = 0
    postponed: int = 0
    refused: int = 0
    is_blocked: bool = False
    """The channel as a whole did not play along, or is not to be called now; sending more of it now is useless."""
    wait_seconds: float | None = None
    """When it is blocked: after how long it may be tried again; None when that is not known."""


def publish_due(*, channel_id: int, rows_max: int = 200) -> PublishResult:
    """Send up to `rows_max` due figures of one channel. Safe to run twice, or twice at once.

    Nothing is claimed while the channel is paused or not automatic, outside its hours, or while its account is silent or has
    used up its allowance. Must not be called inside a transaction: a channel may take long, and what was sent must not be
    rolled back from memory.
    """
    channel = Channel.objects.filter(pk=channel_id).first()
    if channel is None or not channel.is_sending:
        return PublishResult()
    flow = flow_now(channel)
    if flow is Flow.NOTHING:
        return PublishResult(is_blocked=True)
    known = ADAPTERS.get(channel.adapter)
    entry = enter(channel, points=known.limits.publish_points if known else 1)
    if not entry.is_open:
        return PublishResult(is_blocked=True, wait_seconds=entry.wait_seconds)
    rows = min(rows_max, known.limits.publish_rows_max if known else rows_max)
    if entry.is_probe:
        rows = min(rows, PROBE_ROWS_MAX)
    only_lowering = flow is Flow.LOWERING
    claims = claim_due(channel_id=channel_id, rows_max=rows, only_lowering=only_lowering)
    result = PublishResult(claimed=len(claims))
    if claims:
        _Delivery(channel, result, entry, only_lowering=only_lowering).run(claims)
    else:
        probe_unused(entry=entry)
    return result


class _Delivery:
    """One batch on its way to one channel."""

    def __init__(self, channel: Channel, result: PublishResult, entry: Entry, *, only_lowering: bool) -> None:
        self.channel = channel
        self.result = result
        self._entry = entry
        self._only_lowering = only_lowering
        self._ends_at = time.monotonic() + SEND_SECONDS_MAX
        self._error: ChannelError | None = None
        self._has_called = False
        self._rows_max = 0
        self._open: dict[int, Claim] = {}
        """Claims that have no answer yet, by listing."""

    def run(self, claims: Sequence[Claim]) -> None:
        self._open = {claim.listing_id: claim for claim in claims}
        try:
            with open_channel(self.channel, self._entry) as adapter:
                self._deliver(adapter)
        except ChannelError as error:
            self._fail_rest(error)
        else:
            account_answered(entry=self._entry)
        self._settle([Released(claim) for claim in self._open.values()])
        self._note_health()

    def _deliver(self, adapter: ChannelAdapter) -> None:
        if not isinstance(adapter, QuantityPublisher) or not isinstance(adapter, QuantityReader):
            raise ChannelRejected(f"{adapter.name} cannot set and read quantities.")
        if adapter.quantity_meaning is not QuantityMeaning.AVAILABLE:
            raise ChannelRejected(f"{adapter.name} wants to be told stock on hand, which is not offered to it yet.")
        self._rows_max = adapter.limits.publish_rows_max
        self.channel = choose_location(self.channel, adapter)
        links = link_claims(adapter, list(self._open.values()))
        self._settle(links.settlements)
        self._open.update({claim.listing_id: claim for claim in links.linked if claim.listing_id in self._open})
        for _ in range(ROUNDS_MAX):
            self._read_unknown(adapter)
            self._put_back_raises()
            if not self._open or self._is_late():
                return
            self._send(adapter)
        self._settle(
            [
                Postponed(
                    claim, f"The channel's figure changed {claim.tries} times while it was being set.", None, True
                )
                for claim in self._open.values()
                if claim.tries
            ]
        )

    # --- reading first ---

    def _read_unknown(self, adapter: QuantityReader) -> None:
        """Find out what the channel shows where that is not known; it may be the wanted figure already."""
        unknown = [claim for claim in self._open.values() if claim.expected is None]
        if not unknown or self._is_late():
            return
        place = self.channel.external_location_id
        targets = [QuantityTarget(claim.ref, claim.external_item_id, place) for claim in unknown]
        settlements: list[Settlement] = []
        shown: dict[int, int] = {}
        falls: list[Claim] = []
        try:
            for claim, reading in zip(unknown, adapter.read_quantities(targets), strict=True):
                if claim.is_unseen and not claim.tries and reading.available is not None:
                    shown[claim.listing_id] = reading.available
                    if not claim.wanted and reading.available > 0 and self.channel.mode == ChannelMode.AUTO:
                        falls.append(claim)
                        continue
                settlements.append(self._from_reading(adapter, claim, reading))
        finally:
            self._settle(settlements)  # also when the channel fell silent halfway
        note_shown_before(claims=unknown, shown=shown)
        self._judge_falls(falls, shown)

    def _judge_falls(self, falls: Sequence[Claim], shown: Mapping[int, int]) -> None:
        """A first figure of zero where the channel shows stock is a fall the guard did not see: it is planned anew from there."""
        if falls:
            judge_first_figures(shown=shown, claims=falls)
            for claim in falls:
                del self._open[claim.listing_id]

    def _from_reading(self, adapter: QuantityReader, claim: Claim, reading: QuantityReading) -> Settlement:
        if reading.available is None:
            if not isinstance(adapter, ListingConnector):
                return Refused(
                    claim, f"{claim.sku}: the channel does not stock it at the chosen location. Add it there."
                )
            if self._is_late():
                return Released(claim)
            if self._may_only_lower(claim) and claim.wanted:
                return Released(claim, RAISE_AGAIN_SECONDS)
            try:
                reading = adapter.connect_listing(
                    external_item_id=claim.external_item_id,
                    external_location_id=self.channel.external_location_id,
                    available=claim.wanted,
                    idempotency_key=claim.connecting_key,
                )
            except ChannelRejected as error:
                return Refused(claim, error.message)
            if reading.available is None:
                return Refused(claim, f"{claim.sku}: the channel stocks it now, but shows no figure for it.")
        if reading.available == claim.wanted and not claim.is_open:
            return Accepted(claim, reading.available)
        # With a call on its way it is set all the same: that uses up the key, and the call comes too late.
        words = (
            f"Try {claim.tries + 1}: a sale or an earlier call came first, and the channel shows {reading.available} now."
            if claim.tries and reading.available != claim.wanted
            else ""
        )
        return Adopted(claim, reading.available, words)

    def _put_back_raises(self) -> None:
        """What turns out to raise the channel's figure waits for the hours in which that may go out, or for a person."""
        raises = [
            claim
            for claim in self._open.values()
            if self._may_only_lower(claim) and claim.expected is not None and max(claim.expected, 0) < claim.wanted
        ]
        if raises:
            self._settle([Released(claim, RAISE_AGAIN_SECONDS) for claim in raises])

    def _may_only_lower(self, claim: Claim) -> bool:
        return self._only_lowering or claim.is_held

    # --- sending ---

    def _send(self, adapter: QuantityPublisher) -> None:
        """Send every open claim whose expectation is known, key by key: each is one call."""
        by_key: dict[str, list[Claim]] = {}
        for claim in self._open.values():
            if claim.expected is not None:
                by_key.setdefault(claim.call_key, []).append(claim)
        for found in by_key.values():
            if self._is_late():
                return
            claims = self._still_ours(found)[: self._rows_max]
            if not claims:
                continue
            run_id = max(claim.run_id for claim in claims)
            pushes = [self._push(claim, run_id) for claim in claims]
            self._has_called = True
            try:
                outcomes: Sequence[PushOutcome] = adapter.publish_quantities(pushes, keys=self)
            except StaleQuantity as error:
                self._record(error.settled)
                told = {int(outcome.listing_ref) for outcome in error.settled}
                self._expect_anew([self._open[one.listing_id] for one in claims if one.listing_id not in told])
            except ChannelError as error:
                self._record(error.settled)
                if isinstance(error, ChannelUnavailable) and error.outcome_unknown:
                    self._keep_keys(claims)
                raise
            else:
                self._record(outcomes)

    def next_key(self, used: str, listing_refs: Sequence[str], *, is_spent: bool) -> str | None:
        """See `CallKeys`. The key of a call whose answer got lost earlier is kept until it is known to be spent."""
        claims = [self._open[int(ref)] for ref in listing_refs]
        if not is_spent and any(claim.is_open for claim in claims):
            return used if len(still_held(claims)) == len(claims) else None
        key = renew_key(claims=claims)
        if key is not None:
            for claim in claims:
                self._open[claim.listing_id] = claim._replace(call_key=key, is_open=False)
        return key

    def _keep_keys(self, claims: Sequence[Claim]) -> None:
        """Of a call nobody knows the fate of. What was answered before it has another key by now, or none."""
        for one in claims:
            claim = self._open.get(one.listing_id)
            if claim is not None and claim.call_key:
                self._open[claim.listing_id] = claim._replace(is_open=True)

    def _still_ours(self, claims: Sequence[Claim]) -> Sequence[Claim]:
        """Without those that somebody else took over while an earlier call went on, however our own clock stands.

        They may have sent a newer figure, and one that the channel happens to show as before lets an older one pass.
        """
        if not self._has_called:
            return claims
        held = still_held(claims)
        for claim in claims:
            if claim.listing_id not in held:
                del self._open[claim.listing_id]
        return [claim for claim in claims if claim.listing_id in held]

    def _push(self, claim: Claim, run_id: int) -> QuantityPush:
        return QuantityPush(
            listing_ref=claim.ref,
            sku=claim.sku,
            external_item_id=claim.external_item_id,
            external_location_id=self.channel.external_location_id,
            quantity=claim.wanted,
            expected_quantity=claim.expected,
            version=claim.version,
            idempotency_key=claim.call_key,
            reference_uri=REFERENCE.format(run_id=run_id),
        )

    def _record(self, outcomes: Sequence[PushOutcome]) -> None:
        settlements: list[Settlement] = []
        stale: list[Claim] = []
        for outcome in outcomes:
            claim = self._open.get(int(outcome.listing_ref))
            if claim is None:
                continue
            if claim.is_open and outcome.is_key_spent:
                claim = claim._replace(is_open=False)
            match outcome.state:
                case PushState.ACCEPTED:
                    # An accepted compare-and-set leaves the wanted figure; what the channel reports may already be a
                    # sale further, and the next change has to start from there.
                    shown = outcome.channel_quantity
                    settlements.append(Accepted(claim, claim.wanted if shown is None else shown))
                case PushState.STALE:
                    stale.append(claim)
                case PushState.REJECTED:
                    settlements.append(Refused(claim, outcome.message or outcome.code))
                case PushState.RETRY_LATER:
                    settlements.append(Postponed(claim._replace(is_open=True), outcome.message or outcome.code))
        self._settle(settlements)
        self._expect_anew(stale)

    def _expect_anew(self, claims: Sequence[Claim]) -> None:
        self.result.stale += len(claims)
        for claim in claims:
            key = claim.call_key if claim.is_open else ""
            self._open[claim.listing_id] = claim._replace(expected=None, tries=claim.tries + 1, call_key=key)

    # --- the end of a claim ---

    def _settle(self, settlements: Sequence[Settlement]) -> None:
        if not settlements:
            return
        going_on = {claim.listing_id: claim for claim in settle(settlements)}
        for one in settlements:
            claim = self._open.pop(one.claim.listing_id, None)
            if claim is not None and one.claim.listing_id in going_on:
                self._open[claim.listing_id] = going_on[claim.listing_id]
            self.result.accepted += isinstance(one, Accepted)
            self.result.postponed += isinstance(one, Postponed)
            self.result.refused += isinstance(one, Refused)

    def _fail_rest(self, error: ChannelError) -> None:
        """The channel as a whole did not play along: everything without an answer waits, or is refused."""
        self._error = error
        self.result.is_blocked = True
        rest = list(self._open.values())
        wait = account_failed(entry=self._entry, error=error)
        self.result.wait_seconds = wait
        if isinstance(error, ChannelUnavailable):
            self._settle([Postponed(claim, error.message, wait, counts=False) for claim in rest])
        else:
            self._settle([Refused(claim, error.message, BLOCKED_AGAIN_SECONDS, counts=False) for claim in rest])
        logger.warning("push.not_sent", extra={"channel": self.channel.code, "code": error.code, "rows": len(rest)})

    def _note_health(self) -> None:
        health: dict[str, object] = {}
        if self.result.accepted:
            health["last_success_at"] = timezone.now()
        if self._error is not None:
            health |= {"last_error": self._error.message[:500], "last_error_at": timezone.now()}
        elif self.result.accepted:
            health |= {"last_error": "", "last_error_at": None}
        if health:
            Channel.objects.filter(pk=self.channel.pk).update(**health)
        logger.info(
            "push.sent",
            extra={"channel": self.channel.code, "claimed": self.result.claimed, "accepted": self.result.accepted},
        )

    def _is_late(self) -> bool:
        return time.monotonic() > self._ends_at
