"""Pages on which a large change is looked at and decided about as one."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import strip_tags

from channels_sync.models import ChannelGuard, Freeze, Hold, HoldState, PublishRun, WideChange, WideDecision
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.allocating import set_policy
from inventory.models import StockChange
from tests.channels_sync.wide import ITEMS, absorb_all, as_sent, make_company, wanted
from tests.factories import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small_pieces")]


@pytest.fixture
def as_approver(client):
    client.force_login(make_user(role="approver"))
    return client


def waiting_raises(*, is_worked_out=True):
    """A large change all of whose raises wait; with the channels."""
    shop, market, _ = make_company(guarded=True)
    for channel in (shop, market):
        ChannelGuard.objects.create(channel=channel, bulk_listings_min=0)
    as_sent()
    set_policy(percent=50, actor=None)
    absorb_all()
    as_sent()
    set_policy(percent=100, actor=None)
    while StockChange.objects.exists():
        absorb_changes()
    if is_worked_out:
        absorb_all()
    return WideChange.objects.latest("pk"), shop, market


def shown(answer):
    return " ".join(strip_tags(answer.content.decode()).split())


def test_the_page_shows_the_whole_plan_and_the_list_of_runs_shows_it_once(as_approver):
    wide, shop, _ = waiting_raises()

    page = shown(as_approver.get(reverse("channels_sync:large_change", args=[wide.pk])))
    runs = as_approver.get(reverse("channels_sync:runs"))
    waits = as_approver.get(reverse("channels_sync:runs"), {"waits": "1", "channel": shop.code})
    parts = as_approver.get(reverse("channels_sync:runs"), {"wide": wide.pk, "channel": shop.code})

    assert f"What the guard said: {2 * ITEMS} changes wait for a person." in page
    assert f"all {2 * ITEMS} that wait" in page
    assert "Approve" in page
    assert not [run for run in runs.context["page_object"] if run.wide_id]
    assert runs.context["large"][0].pk == wide.pk
    assert [one.pk for one in waits.context["large"]] == [wide.pk]
    assert {run.wide_id for run in parts.context["page_object"]} == {wide.pk}
    assert {run.channel for run in parts.context["page_object"]} == {shop}
    part = parts.context["page_object"][0]
    assert f"Part of large change {wide.pk}" in shown(as_approver.get(reverse("channels_sync:run", args=[part.pk])))


def test_its_biggest_changes_lead_to_why_it_would_show_that(as_approver):
    wide, *_ = waiting_raises()

    answer = as_approver.get(reverse("channels_sync:large_change", args=[wide.pk]))

    rise = answer.context["view"].rises[0]
    address = f"{reverse('channels_sync:why', args=[rise.listing_id])}?large={wide.pk}"
    assert f'href="{address}"' in answer.content.decode()
    why = as_approver.get(address).context
    assert (why["hold"].run.wide_id, why["why"].derivation.quantity) == (wide.pk, rise.after)


def test_all_of_it_is_approved_on_the_page(as_approver):
    wide, shop, market = waiting_raises()
    address = reverse("channels_sync:decide_large", args=[wide.pk])

    answer = as_approver.post(address, {"verdict": "approve", "channel": market.code}, follow=True)
    again = as_approver.post(address, {"verdict": "approve", "channel": shop.code})

    assert "Being carried out: approved" in shown(answer)
    assert again.status_code == 409
    assert "Wait until it has ended" in shown(again)
    absorb_all()
    assert (wanted(shop), wanted(market)) == ([5] * ITEMS, [10] * ITEMS)
    page = shown(as_approver.get(reverse("channels_sync:large_change", args=[wide.pk])))
    assert "Approved" in page
    assert f"{ITEMS} changes of {market}" in page


def test_all_of_it_is_refused_on_the_page_with_a_reason(as_approver):
    wide, *_ = waiting_raises()
    address = reverse("channels_sync:decide_large", args=[wide.pk])

    without = as_approver.post(address, {"verdict": "refuse", "reason": ""})
    as_approver.post(address, {"verdict": "refuse", "reason": "not before the fair"})
    absorb_all()

    assert without.status_code == 409
    assert "Say why it is refused" in shown(without)
    assert Freeze.objects.in_force().filter(reason="not before the fair").count() == 2 * ITEMS
    assert not Hold.objects.filter(state=HoldState.OPEN).exists()


def test_all_of_it_is_taken_back_on_the_page_after_its_plan(as_approver):
    make_company()
    as_sent()
    set_policy(percent=50, actor=None)
    absorb_all()
    wide = WideChange.objects.latest("pk")
    address = reverse("channels_sync:undo_large", args=[wide.pk])

    assert (
        reverse("channels_sync:undo_large", args=[wide.pk])
        in as_approver.get(reverse("channels_sync:large_change", args=[wide.pk])).content.decode()
    )
    plan = shown(as_approver.get(address))
    without = as_approver.post(address, {"reason": " "})
    as_approver.post(address, {"reason": "meant 95"})
    absorb_all()

    assert f"Listings{2 * ITEMS}" in plan.replace(" ", "")
    assert f"{2 * ITEMS * 10}now {2 * ITEMS * 5};" in plan
    assert "Say why it is taken back" in shown(without)
    assert WideDecision.objects.get().frozen == 2 * ITEMS
    assert {one.quantity for one in Freeze.objects.in_force()} == {10}


def test_while_parts_are_left_the_page_says_so_and_offers_no_decision(as_approver):
    wide, *_ = waiting_raises(is_worked_out=False)

    page = shown(as_approver.get(reverse("channels_sync:large_change", args=[wide.pk])))

    assert f"of {wide.parts} parts are still to be worked out" in page
    assert "Refuse and freeze" not in page


@pytest.mark.parametrize("verdict", ["", "x" * 600, "undo"])
def test_without_a_verdict_nothing_is_decided(as_approver, verdict):
    wide, *_ = waiting_raises()

    answer = as_approver.post(reverse("channels_sync:decide_large", args=[wide.pk]), {"verdict": verdict})

    assert answer.status_code == 409
    assert "Choose whether it is approved or refused" in shown(answer)
    assert not WideDecision.objects.exists()


@pytest.mark.parametrize(
    "sent", [{"verdict": "refuse", "channel": "nobody"}, {"verdict": "approve", "channel": "x" * 600}]
)
def test_nonsense_is_refused_and_nothing_is_decided(as_approver, sent):
    wide, *_ = waiting_raises()

    assert as_approver.post(reverse("channels_sync:decide_large", args=[wide.pk]), sent).status_code == 404
    assert as_approver.get(reverse("channels_sync:runs"), {"wide": "x" * 600}).status_code == 200
    assert as_approver.get(reverse("channels_sync:large_change", args=[wide.pk + 1])).status_code == 404
    assert not WideDecision.objects.exists()


def test_the_pages_take_the_same_number_of_queries_for_few_and_many_runs(as_approver, monkeypatch):
    waiting_raises()
    numbers = []
    for size in (6, 24):
        monkeypatch.setattr("channels_sync.operations.pieces.LISTINGS_PER_PIECE", size)
        set_policy(percent=100 - size, actor=None)
        absorb_all()
        wide = WideChange.objects.latest("pk")
        numbers.append((PublishRun.objects.filter(wide=wide).count(), _queries(as_approver, wide)))

    (many, queries_of_many), (few, queries_of_few) = numbers
    assert many > few
    assert queries_of_many == queries_of_few


def _queries(client, wide):
    counts = []
    for name, arguments in (
        ("large_change", [wide.pk]),
        ("undo_large", [wide.pk]),
        ("large_changes", []),
        ("runs", []),
    ):
        address = reverse(f"channels_sync:{name}", args=arguments)
        client.get(address)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert client.get(address).status_code == 200
        counts.append(len(queries))
    return counts
