"""What every adapter must do against its own sandbox, over a real socket."""

from __future__ import annotations

from dataclasses import replace

import pytest

from channels_sync.adapters.base import (
    Capability,
    ConnectionChecker,
    ListingConnector,
    ListingDirectory,
    ListingMatchState,
    PushState,
    QuantityPublisher,
    QuantityReader,
    WebhookVerifier,
)
from channels_sync.adapters.registry import ADAPTERS, adapter_for
from channels_sync.errors import ChannelAuthFailed, ChannelThrottled, ChannelUnavailable

PROTOCOLS = {
    Capability.CHECK_CONNECTION: ConnectionChecker,
    Capability.PUBLISH_QUANTITIES: QuantityPublisher,
    Capability.READ_QUANTITIES: QuantityReader,
    Capability.DISCOVER_LISTINGS: ListingDirectory,
    Capability.CONNECT_LISTINGS: ListingConnector,
    Capability.VERIFY_WEBHOOKS: WebhookVerifier,
}


def states(outcomes):
    return {outcome.listing_ref: outcome.state for outcome in outcomes}


def available(adapter, pushes, sku):
    [reading] = adapter.read_quantities([pushes.target(sku)])
    return reading.available


def test_does_exactly_what_its_capabilities_say(adapter):
    offered = {capability for capability, protocol in PROTOCOLS.items() if isinstance(adapter, protocol)}

    assert set(PROTOCOLS) == set(Capability)
    assert adapter.capabilities == offered


def test_every_registered_adapter_has_a_contract_rig(running_rig):
    assert running_rig.adapter_name in ADAPTERS


def test_sets_and_reads_back(adapter, stock):
    pushes = stock({"A": 5, "B": 0})

    outcomes = adapter.publish_quantities([pushes.row("A", 12, expected=5), pushes.row("B", 7, expected=0)])
    readings = adapter.read_quantities([pushes.target("B"), pushes.target("A")])

    assert [(o.listing_ref, o.state, o.channel_quantity) for o in outcomes] == [
        ("A", PushState.ACCEPTED, 12),
        ("B", PushState.ACCEPTED, 7),
    ]
    assert [(r.listing_ref, r.available) for r in readings] == [("B", 7), ("A", 12)]


def test_a_figure_that_is_already_there_is_accepted(adapter, stock):
    pushes = stock({"A": 5})

    [outcome] = adapter.publish_quantities([pushes.row("A", 5, expected=5)])

    assert (outcome.state, outcome.channel_quantity) == (PushState.ACCEPTED, 5)


def test_zero_is_a_figure_like_any_other(adapter, stock):
    pushes = stock({"A": 5})

    adapter.publish_quantities([pushes.row("A", 0, expected=5)])

    assert available(adapter, pushes, "A") == 0


def test_reads_none_for_an_item_the_channel_does_not_know(adapter, stock):
    pushes = stock({"A": 5})
    target = pushes.target("A")
    unknown = type(target)("X", target.external_item_id + "000", target.external_location_id)

    readings = adapter.read_quantities([unknown, target])

    assert [reading.available for reading in readings] == [None, 5]


def test_a_sale_in_between_makes_the_row_stale_and_is_not_overwritten(adapter, stock, rig):
    pushes = stock({"A": 10})
    rig.sell("A", 1)

    [outcome] = adapter.publish_quantities([pushes.row("A", 8, expected=10)])

    expected = PushState.STALE if rig.has_compare_and_set else PushState.ACCEPTED
    assert outcome.state is expected
    if rig.has_compare_and_set:
        assert rig.available("A") == 9


def test_without_an_expectation_the_newest_word_wins(adapter, stock, rig):
    pushes = stock({"A": 10})
    rig.sell("A", 1)

    [outcome] = adapter.publish_quantities([pushes.row("A", 8, expected=None)])

    assert outcome.state is PushState.ACCEPTED
    assert rig.available("A") == 8


def test_an_older_version_is_sent_as_told(adapter, stock, rig):
    """Which version may be sent is the caller's decision: the outbox knows the order, the channel does not."""
    pushes = stock({"A": 10})
    adapter.publish_quantities([pushes.row("A", 8, expected=10, version=7)])

    [outcome] = adapter.publish_quantities([pushes.row("A", 9, expected=8, version=6)])

    assert outcome.state is PushState.ACCEPTED
    assert rig.available("A") == 9


def test_one_bad_row_does_not_hold_up_the_others(adapter, stock, rig):
    pushes = stock({"A": 1, "B": 1, "C": 1})
    rig.fault("refuse", skus=["B"])

    outcomes = adapter.publish_quantities([pushes.row(sku, 9, expected=1) for sku in "ABC"])

    assert states(outcomes) == {"A": PushState.ACCEPTED, "B": PushState.REJECTED, "C": PushState.ACCEPTED}
    assert [rig.available(sku) for sku in "ABC"] == [9, 1, 9]
    assert "B" in outcomes[1].message


def test_a_stale_row_does_not_hold_up_the_others(adapter, stock, rig):
    pushes = stock({"A": 10, "B": 10})
    rig.sell("B", 4)

    outcomes = adapter.publish_quantities([pushes.row("A", 20, expected=10), pushes.row("B", 20, expected=10)])

    assert outcomes[0].state is PushState.ACCEPTED
    assert rig.available("A") == 20
    if rig.has_compare_and_set:
        assert (outcomes[1].state, rig.available("B")) == (PushState.STALE, 6)


def test_being_throttled_changes_nothing_and_says_when_to_come_back(adapter, stock, rig):
    pushes = stock({"A": 1})
    rig.fault("throttle")
    rows = [pushes.row("A", 9, expected=1)]

    with pytest.raises(ChannelThrottled) as refusal:
        adapter.publish_quantities(rows)
    [outcome] = adapter.publish_quantities(rows)

    assert refusal.value.retry_after_seconds is not None
    assert not refusal.value.outcome_unknown
    assert outcome.state is PushState.ACCEPTED
    assert rig.times_changed("A") == 1


def test_waits_out_a_short_throttle_by_itself(stock, rig):
    pushes = stock({"A": 1})
    rig.fault("throttle")
    patient = adapter_for(name=rig.adapter_name, account=rig.account(throttle_wait_seconds_max=10.0))

    [outcome] = patient.publish_quantities([pushes.row("A", 9, expected=1)])
    patient.close()

    assert outcome.state is PushState.ACCEPTED


def test_a_lost_answer_is_unknown_and_the_same_key_again_is_harmless(stock, rig):
    pushes = stock({"A": 10, "B": 10})
    hasty = adapter_for(name=rig.adapter_name, account=rig.account(timeout_seconds=1.0))
    rows = [pushes.row("A", 8, expected=10), pushes.row("B", 7, expected=None)]
    rig.fault("lose_answer")

    with pytest.raises(ChannelUnavailable) as failure:
        hasty.publish_quantities(rows)
    rig.sell("B", 2)
    outcomes = hasty.publish_quantities(rows)
    hasty.close()

    assert failure.value.outcome_unknown
    assert {outcome.state for outcome in outcomes} == {PushState.ACCEPTED}
    assert (rig.available("A"), rig.available("B")) == (8, 5)  # the sale after the first try stands
    assert (rig.times_changed("A"), rig.times_changed("B")) == (1, 1)


def test_a_lost_answer_in_the_second_call_tells_what_the_first_had_settled(stock, rig):
    figures = {f"SKU-{number}": 1 for number in range(260)}
    pushes = stock(figures)
    hasty = adapter_for(name=rig.adapter_name, account=rig.account(timeout_seconds=2.0))
    first = hasty.limits.publish_rows_max
    rows = [pushes.row(sku, 3, expected=1) for sku in figures]
    rig.fault("lose_answer", skip=1)

    with pytest.raises(ChannelUnavailable) as failure:
        hasty.publish_quantities(rows)
    settled = {outcome.listing_ref for outcome in failure.value.settled}
    outcomes = hasty.publish_quantities([row for row in rows if row.listing_ref not in settled])
    hasty.close()

    assert len(settled) == first
    assert {outcome.listing_ref for outcome in outcomes} == set(figures) - settled
    assert {outcome.state for outcome in outcomes} == {PushState.ACCEPTED}
    assert {rig.times_changed(sku) for sku in figures} == {1}


def test_under_one_key_the_channel_does_one_call_whatever_the_next_one_carries(adapter, stock, rig):
    """What the outbox relies on: a call that got lost can do nothing once its key was used for a newer figure."""
    pushes = stock({"A": 10})
    newer = pushes.row("A", 12, expected=10)
    lost = replace(newer, quantity=8)
    adapter.publish_quantities([newer])
    back = replace(pushes.row("A", 10, expected=12), idempotency_key="back")
    adapter.publish_quantities([back])

    [outcome] = adapter.publish_quantities([lost])

    assert (outcome.state, outcome.is_key_spent, rig.available("A")) == (PushState.STALE, True, 10)


def test_a_network_that_delivers_twice_changes_once(adapter, stock, rig):
    pushes = stock({"A": 10})
    rig.fault("deliver_twice")

    [outcome] = adapter.publish_quantities([pushes.row("A", 4, expected=10)])

    assert outcome.state is PushState.ACCEPTED
    assert rig.times_changed("A") == 1


def test_a_failing_channel_is_unavailable_and_the_repeat_succeeds(adapter, stock, rig):
    pushes = stock({"A": 10})
    rows = [pushes.row("A", 4, expected=10)]
    rig.fault("fail")

    with pytest.raises(ChannelUnavailable) as failure:
        adapter.publish_quantities(rows)
    [outcome] = adapter.publish_quantities(rows)

    assert failure.value.outcome_unknown
    assert outcome.state is PushState.ACCEPTED
    assert rig.available("A") == 4


def test_wrong_credentials_are_shown_and_never_repeated_in_the_message(rig):
    account = rig.wrong_account()
    stranger = adapter_for(name=rig.adapter_name, account=account)

    with pytest.raises(ChannelAuthFailed) as refusal:
        stranger.check_connection()
    stranger.close()

    told = f"{refusal.value!r} {refusal.value} {account!r}"
    assert account.access_token not in told


def test_more_rows_than_one_call_takes_are_all_set(adapter, stock, rig):
    figures = {f"SKU-{number}": 0 for number in range(600)}
    pushes = stock(figures)
    rows = [pushes.row(sku, number + 1, expected=0) for number, sku in enumerate(figures)]

    outcomes = adapter.publish_quantities(rows)

    assert len(outcomes) == 600
    assert [outcome.listing_ref for outcome in outcomes] == list(figures)
    assert {outcome.state for outcome in outcomes} == {PushState.ACCEPTED}
    assert [rig.available(sku) for sku in ("SKU-0", "SKU-250", "SKU-599")] == [1, 251, 600]


def test_reads_a_whole_location(stock, rig):
    pushes = stock({f"SKU-{number}": number for number in range(260)})
    location = pushes.target("SKU-0").external_location_id
    patient = adapter_for(name=rig.adapter_name, account=rig.account(throttle_wait_seconds_max=30.0))

    readings = list(patient.read_location(location))
    patient.close()

    assert {reading.sku: reading.available for reading in readings} == {f"SKU-{n}": n for n in range(260)}


def test_finds_listings_by_exact_sku(adapter, stock):
    pushes = stock({"MUG-1": 1, "mug-1": 1, "MUG-1-BLUE": 1, "O'NEIL \\ 2": 1})

    matches = adapter.discover_listings(["MUG-1", "O'NEIL \\ 2", "Mug-1", ""])

    assert [(match.sku, match.state) for match in matches] == [
        ("MUG-1", ListingMatchState.FOUND),
        ("O'NEIL \\ 2", ListingMatchState.FOUND),
        ("Mug-1", ListingMatchState.MISSING),
        ("", ListingMatchState.MISSING),
    ]
    assert matches[0].listing.external_item_id == pushes.target("MUG-1").external_item_id


def test_lists_its_locations(adapter, stock):
    pushes = stock({"A": 1})

    ids = {location.external_id for location in adapter.locations() if location.is_active}

    assert pushes.target("A").external_location_id in ids
