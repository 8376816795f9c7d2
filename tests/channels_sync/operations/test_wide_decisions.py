"""What touched more than one transaction takes is one plan: looked at, approved, refused and taken back as a whole."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from channels_sync.models import (
    AllocationPolicy,
    ChannelGuard,
    Freeze,
    Hold,
    HoldState,
    Listing,
    ListingPush,
    PublicationLine,
    PublishRun,
    RecomputePiece,
    WideChange,
    WideDecision,
    WideVerdict,
)
from channels_sync.operations import deciding_wide, recomputing
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.allocating import set_policy, tell_dated_rules
from channels_sync.operations.campaigns import CampaignRule, plan_campaign
from channels_sync.operations.deciding_wide import carry_out_decision, decide_wide
from channels_sync.operations.recomputing import recompute_all
from channels_sync.operations.second_looks import TypedConfirmationRequired
from channels_sync.operations.sweeping import sweep
from channels_sync.reads.wide_changes import undo_of_wide, view_of_wide, wide_changes
from inventory.errors import SecondPersonRequired, WrongState
from inventory.models import ExceptionCase, StockChange
from inventory.operations.telling import tell_changed
from tests.channels_sync.factories import WorkerKilled
from tests.channels_sync.wide import ITEMS, absorb_all, as_sent, make_company, wanted
from tests.factories import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small_pieces")]


def raised_by_a_rule(*, actor=None):
    """A company whose rule for everything goes from half to everything: every raise waits; the large change of it."""
    shop, market, items = make_company(guarded=True)
    for channel in (shop, market):
        ChannelGuard.objects.create(channel=channel, bulk_listings_min=0)
    as_sent()
    set_policy(percent=50, actor=None)
    absorb_all()
    as_sent()
    before = WideChange.objects.count()
    set_policy(percent=100, actor=actor)
    while StockChange.objects.exists():
        absorb_changes()
    assert WideChange.objects.count() == before + 1
    return shop, market, items, WideChange.objects.latest("pk")


def still_waits(**where):
    return Hold.objects.filter(state=HoldState.OPEN, **where).count()


def test_the_runs_of_a_rule_are_one_plan_with_its_effect_by_channel():
    shop, market, _, wide = raised_by_a_rule()
    absorb_all()

    view = view_of_wide(wide)

    assert view.left == 0
    assert view.runs == PublishRun.objects.filter(wide=wide).count() > 2
    assert [(part.channel, part.changed, part.raised, part.waiting) for part in view.parts] == [
        (shop, ITEMS, ITEMS, ITEMS),
        (market, ITEMS, ITEMS, ITEMS),
    ]
    assert (view.units_before, view.units_after, view.waiting) == (2 * ITEMS * 5, 2 * ITEMS * 10, 2 * ITEMS)
    assert {(change.before, change.after) for change in view.rises} == {(5, 10)}
    assert not view.falls
    assert any("change of rules" in said.words for said in view.said)
    listed = wide_changes().get(pk=wide.pk)
    assert (listed.waiting, listed.changed, listed.left, listed.runs_made) == (2 * ITEMS, 0, 0, view.runs)
    assert not wide_changes(only_waiting=True).exclude(pk=wide.pk).exists()


def test_the_case_in_the_queue_leads_to_the_whole_of_it():
    *_, wide = raised_by_a_rule()
    absorb_all()

    urls = set(ExceptionCase.objects.open().filter(kind="held_run").values_list("url", flat=True))

    assert urls == {f"/channels/runs/large/{wide.pk}/"}


def test_all_of_it_is_approved_at_once_and_flows_run_by_run():
    shop, market, _, wide = raised_by_a_rule()
    absorb_all()

    decision = decide_wide(wide=wide, verdict=WideVerdict.APPROVE, actor=None, typed=str(2 * ITEMS))

    assert decision.listings == 2 * ITEMS == still_waits()
    assert sweep().has_news
    steps = 0
    while carry_out_decision():
        steps += 1
    decision.refresh_from_db()
    assert steps == PublishRun.objects.filter(wide=wide, listings_held__gt=0).count() + 1 > 3
    assert decision.ended_at is not None
    assert (decision.changed, decision.held, decision.problems) == (2 * ITEMS, 0, [])
    assert wanted(shop) == wanted(market) == [10] * ITEMS
    assert not still_waits()
    assert not sweep().has_news


def test_one_channel_of_it_is_decided_alone():
    shop, market, _, wide = raised_by_a_rule()
    absorb_all()

    decide_wide(wide=wide, verdict=WideVerdict.APPROVE, channel=market, actor=None, typed=str(ITEMS))
    absorb_all()

    assert (wanted(shop), wanted(market)) == ([5] * ITEMS, [10] * ITEMS)
    assert still_waits(listing__channel=shop) == ITEMS


def test_while_parts_are_left_nothing_is_decided():
    *_, wide = raised_by_a_rule()
    assert RecomputePiece.objects.filter(wide=wide).exists()

    for verdict in WideVerdict:
        with pytest.raises(WrongState, match="still being worked out"):
            decide_wide(wide=wide, verdict=verdict, actor=None, reason="no", typed=str(2 * ITEMS))


def test_whoever_set_the_rule_does_not_approve_it_while_somebody_else_may(monkeypatch):
    monkeypatch.setattr("channels_sync.operations.second_looks.TYPED_FROM", 10)
    planner, other = make_user(role="administrator"), make_user(role="approver")
    *_, wide = raised_by_a_rule(actor=planner)
    absorb_all()

    with pytest.raises(SecondPersonRequired, match=f"caused large change {wide.pk}"):
        decide_wide(wide=wide, verdict=WideVerdict.APPROVE, actor=planner, typed=str(2 * ITEMS))
    with pytest.raises(TypedConfirmationRequired):
        decide_wide(wide=wide, verdict=WideVerdict.APPROVE, actor=other, typed="7")
    assert not WideDecision.objects.exists()
    decide_wide(wide=wide, verdict=WideVerdict.APPROVE, actor=other, typed=str(2 * ITEMS))
    with pytest.raises(WrongState, match="is being carried out"):
        decide_wide(wide=wide, verdict=WideVerdict.REFUSE, actor=other, reason="no")
    absorb_all()

    assert set(Hold.objects.filter(state=HoldState.APPROVED).values_list("decided_by", flat=True)) == {other.pk}


def test_all_of_it_is_refused_and_stays_as_it_is_shown():
    shop, market, _, wide = raised_by_a_rule()
    absorb_all()

    with pytest.raises(WrongState, match="Say why"):
        decide_wide(wide=wide, verdict=WideVerdict.REFUSE, actor=None, reason=" ")
    decision = decide_wide(wide=wide, verdict=WideVerdict.REFUSE, actor=None, reason="not before the fair")
    absorb_all()

    decision.refresh_from_db()
    assert decision.frozen == Freeze.objects.in_force().count() == 2 * ITEMS
    assert wanted(shop) == wanted(market) == [5] * ITEMS
    assert not still_waits()


def test_all_of_it_is_taken_back_and_what_changed_since_is_left_alone():
    shop, market, items = make_company()
    as_sent()
    set_policy(percent=50, actor=None)
    absorb_all()
    wide = WideChange.objects.latest("pk")
    set_policy(channel=market, percent=80, item=items[0], actor=None)
    absorb_all()

    assert undo_of_wide(wide).count == 2 * ITEMS - 1
    assert undo_of_wide(wide).left_alone == 1
    assert undo_of_wide(wide, shop).units_then == 10 * ITEMS
    with pytest.raises(WrongState, match="Say why"):
        decide_wide(wide=wide, verdict=WideVerdict.UNDO, actor=None)
    decision = decide_wide(wide=wide, verdict=WideVerdict.UNDO, actor=None, reason="meant 95", typed=str(2 * ITEMS - 1))
    absorb_all()

    # The rule still says 50 %: it is the freeze at what was shown that the formula stays under.
    decision.refresh_from_db()
    assert (decision.frozen, decision.problems) == (2 * ITEMS - 1, [])
    assert set(Freeze.objects.in_force().values_list("quantity", flat=True)) == {10}
    assert not WideDecision.objects.filter(ended_at=None).exists()


def test_what_began_to_wait_after_the_decision_was_not_seen_and_goes_on_waiting():
    shop, market, items, wide = raised_by_a_rule()
    absorb_all()
    decide_wide(wide=wide, verdict=WideVerdict.APPROVE, actor=None, typed=str(2 * ITEMS))

    set_policy(
        channel=shop, percent=90, item=items[0], actor=None
    )  # its hold is replaced by another one: 9 instead of 10
    while absorb_changes():
        pass
    absorb_all()

    waiting = Hold.objects.get(state=HoldState.OPEN)
    assert (waiting.listing.item, waiting.listing.channel, waiting.after) == (items[0], shop, 9)
    assert wanted(market) == [10] * ITEMS
    assert wanted(shop) == [5] + [10] * (ITEMS - 1)


@pytest.mark.parametrize("verdict", list(WideVerdict))
@pytest.mark.parametrize("killed_at", [1, 3])
def test_a_worker_that_dies_leaves_the_rest_to_the_next_one(monkeypatch, verdict, killed_at):
    """Fails when the run a decision has got to is written apart from what follows from it."""
    shop, market, _, wide = raised_by_a_rule()
    absorb_all()
    if verdict == WideVerdict.UNDO:
        decide_wide(wide=wide, verdict=WideVerdict.APPROVE, actor=None, typed=str(2 * ITEMS))
        absorb_all()
    decision = decide_wide(wide=wide, verdict=verdict, actor=None, reason="looked at", typed=str(2 * ITEMS))
    carry_out, done = deciding_wide._carry_out, []

    def die(*args):
        result = carry_out(*args)
        done.append(1)
        if len(done) == killed_at:
            raise WorkerKilled
        return result

    with monkeypatch.context() as broken:
        broken.setattr(deciding_wide, "_carry_out", die)
        with pytest.raises(WorkerKilled):
            absorb_all()
    absorb_all()

    decision.refresh_from_db()
    assert decision.ended_at is not None
    assert not still_waits()
    expected = {WideVerdict.APPROVE: 10, WideVerdict.REFUSE: 5, WideVerdict.UNDO: 5}[verdict]
    assert wanted(shop) == wanted(market) == [expected] * ITEMS
    assert decision.frozen == (0 if verdict == WideVerdict.APPROVE else 2 * ITEMS)


def test_what_cannot_be_carried_out_for_a_run_is_told_and_the_others_follow(monkeypatch):
    *_, wide = raised_by_a_rule()
    absorb_all()
    first = PublishRun.objects.filter(wide=wide).earliest("pk")
    decision = decide_wide(wide=wide, verdict=WideVerdict.APPROVE, actor=None, typed=str(2 * ITEMS))
    flow = deciding_wide.let_flow

    def refuse_the_first(run, holds, **named):
        result = flow(run, holds, **named)
        if run == first:
            raise WrongState("Somebody was faster.")
        return result

    monkeypatch.setattr(deciding_wide, "let_flow", refuse_the_first)
    absorb_all()

    decision.refresh_from_db()
    assert decision.problems == [{"run": first.pk, "words": "Somebody was faster."}]
    assert still_waits() == still_waits(run=first) == first.listings_held
    assert PublicationLine.objects.filter(version=3).count() == 2 * ITEMS - first.listings_held


def test_a_full_recompute_of_many_is_one_plan_too(monkeypatch):
    monkeypatch.setattr("channels_sync.operations.recomputing.LISTINGS_PER_TRANSACTION", 10)
    make_company()
    ListingPush.objects.update(wanted=3)

    recompute_all(cause="the passing of time")

    wide = WideChange.objects.latest("pk")
    assert (wide.cause, wide.parts) == ("the passing of time", 8)
    assert view_of_wide(wide).changed == 2 * ITEMS
    assert not RecomputePiece.objects.exists()


def test_a_full_recompute_that_dies_is_not_decided_about_before_the_workers_have_done_the_rest(monkeypatch):
    monkeypatch.setattr("channels_sync.operations.recomputing.LISTINGS_PER_TRANSACTION", 10)
    make_company()
    ListingPush.objects.update(wanted=3)
    work, done = recomputing.recompute_piece, []

    def die(piece):
        done.append(work(piece))
        if len(done) == 3:
            raise WorkerKilled
        return done[-1]

    with monkeypatch.context() as broken:
        broken.setattr(recomputing, "recompute_piece", die)
        with pytest.raises(WorkerKilled):
            recompute_all(cause="the passing of time")
    wide = WideChange.objects.latest("pk")

    with pytest.raises(WrongState, match="still being worked out: 6 of 8 parts"):
        decide_wide(wide=wide, verdict=WideVerdict.UNDO, actor=None, reason="wrong")
    absorb_all()
    assert (view_of_wide(wide).left, view_of_wide(wide).changed) == (0, 2 * ITEMS)


def test_what_waits_is_counted_for_the_channel_that_is_asked_for():
    shop, market, _, wide = raised_by_a_rule()
    absorb_all()
    decide_wide(wide=wide, verdict=WideVerdict.APPROVE, channel=market, actor=None)
    absorb_all()

    assert [one.waiting for one in wide_changes(channel=shop, only_waiting=True)] == [ITEMS]
    assert not wide_changes(channel=market, only_waiting=True)
    assert wide_changes(channel=market).get(pk=wide.pk).waiting == 0


def test_runs_made_after_an_undo_was_decided_are_not_taken_back():
    shop, _, items, wide = raised_by_a_rule()
    absorb_all()
    decide_wide(wide=wide, verdict=WideVerdict.APPROVE, actor=None, typed=str(2 * ITEMS))
    absorb_all()
    decision = decide_wide(wide=wide, verdict=WideVerdict.UNDO, actor=None, reason="wrong", typed=str(2 * ITEMS))
    run = PublishRun.objects.filter(wide=wide).latest("pk")
    listing = Listing.objects.get(channel=shop, item=items[0])
    later = PublishRun.objects.create(channel=shop, cause="later", wide=wide, listings_changed=1)
    assert later.pk > run.pk == decision.newest_run
    PublicationLine.objects.filter(listing=listing, version=listing.push.version).update(run=later)

    absorb_all()

    assert Freeze.objects.in_force().count() == 2 * ITEMS - 1
    assert not Freeze.objects.filter(listing=listing).exists()


def test_news_of_few_items_is_no_large_change():
    _, _, items = make_company()
    before = WideChange.objects.count()
    ListingPush.objects.update(wanted=3)

    tell_changed(items=[items[0].pk], cause="adjustment")
    absorb_all()

    assert WideChange.objects.count() == before
    assert PublishRun.objects.latest("pk").wide is None


def test_everybody_who_set_what_began_in_one_go_had_a_part_in_every_piece_of_it():
    author, planner, third = (make_user(role="approver") for _ in range(3))
    shop, market, _ = make_company(guarded=True)
    set_policy(percent=50, actor=None)
    absorb_all()
    as_sent()
    begins_at = timezone.now() + timedelta(hours=1)
    set_policy(percent=100, starts_at=begins_at, actor=author)
    plan_campaign(
        name="Market", starts_at=begins_at, ends_at=begins_at + timedelta(hours=1), actor=planner,
        rules=[CampaignRule({"buffer": Decimal(1)})],
    )  # fmt: skip
    now = timezone.now()
    AllocationPolicy.objects.filter(effective_to=begins_at).update(effective_to=now)
    AllocationPolicy.objects.filter(effective_from=begins_at).update(effective_from=now)

    assert tell_dated_rules() == 2
    absorb_all()

    held = PublishRun.objects.filter(listings_held__gt=0, cause="rule by date")
    wide = held.earliest("pk").wide
    assert {tuple(run.actors) for run in held} == {(author.pk, planner.pk)}
    for person in (author, planner):
        with pytest.raises(SecondPersonRequired):
            decide_wide(wide=wide, verdict=WideVerdict.APPROVE, actor=person)
    decide_wide(wide=wide, verdict=WideVerdict.APPROVE, actor=third)
    absorb_all()
    assert wanted(shop) == wanted(market) == [9] * ITEMS
