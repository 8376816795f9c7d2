"""Why this number: the settings behind each term with their rules, and doors that lead to the rows of that time."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags

from channels_sync.models import ChannelMode, PublicationLine, PublishRun
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.allocating import set_policy
from channels_sync.operations.controlling import set_channel_mode
from channels_sync.operations.demand import DaySold, record_demand
from inventory.models import SupplierItem, SupplierStock
from inventory.operations.issuing import issue_stock
from inventory.operations.reserving import release_reservations, reserve_stock
from tests.api.client import ApiClient
from tests.channels_sync.factories import let_all_flow, make_channel, make_listing, push_of
from tests.factories import make_item, make_location, make_order, make_supplier, make_user, put_on_hand
from tests.production.factories import make_bom

pytestmark = pytest.mark.django_db


@pytest.fixture
def author():
    return make_user(username="anna", role="planner")


@pytest.fixture
def place():
    return make_location(code="HOUSE")


@pytest.fixture
def listing(place):
    """100 candles, offered on the shop."""
    item = make_item(sku="CANDLE", is_sellable=True)
    put_on_hand(item, place, "100")
    return make_listing(channel=let_all_flow(make_channel(name="Shop")), item=item)


@pytest.fixture
def sister(listing):
    """The same item, on the market."""
    return make_listing(channel=let_all_flow(make_channel(name="Market")), item=listing.item)


@pytest.fixture
def as_viewer(client, viewer):
    client.force_login(viewer)
    return client


def absorb_all():
    while absorb_changes():
        pass


def why(client, listing, **query):
    absorb_all()
    return client.get(reverse("channels_sync:why", args=[listing.pk]), query)


def lines_of(answer):
    return {line.label: line for line in answer.context["why"].lines}


def told(line):
    """The settings of a line: label, value, and the level of the rule, or nothing where the default applies."""
    return [(one.of, one.label, one.value, one.scope) for one in line.settings]


def words_of(answer):
    return " ".join(strip_tags(answer.content.decode()).split())


def order(item, place, reference, quantity):
    reserve_stock(
        item=item, location=place, quantity=Decimal(quantity), demand_kind="order", demand_ref=reference, actor=None
    )


def sell(listing, quantity, days_ago=1):
    day = timezone.localdate() - timedelta(days=days_ago)
    sold = DaySold(channel=listing.channel, item=listing.item, day=day, quantity=Decimal(quantity))
    record_demand(rows=[sold])


# --- settings ---


def test_what_nobody_set_is_called_the_default_and_what_a_rule_set_names_it(as_viewer, listing, author):
    policy = set_policy(channel=listing.channel, percent=Decimal(80), actor=author)

    answer = why(as_viewer, listing)

    lines = lines_of(answer)
    (percent,) = lines["Share for this channel"].settings
    assert (percent.value, percent.scope) == ("80 %", "Channel Shop")
    assert percent.rule.startswith("version 1, by anna, since ")
    assert percent.url == reverse("channels_sync:policy", args=[policy.pk])
    assert told(lines["Buffer kept back"]) == [("", "Buffer", "0 pcs", "")]
    assert told(lines["Available"]) == [
        ("", "Counts", "what is available, with suppliers' stock where it is counted", "")
    ]
    assert "Buffer 0 pcs: not set, the default applies" in words_of(answer)
    assert "Percent 80 %: not set" not in words_of(answer)


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({"sharing": "weight", "weight": Decimal(3)}, [("Sharing", "takes a share by weight"), ("Weight", "3")]),
        ({"sharing": "weight"}, [("Sharing", "takes a share by weight"), ("Weight", "1")]),
        ({"sharing": "fenced", "ring_fence": Decimal(7)}, [("Sharing", "sees its ring-fence alone"), ("Ring-fence", "7 pcs")]),
        ({"trial_limit": Decimal(9)}, [("Trial limit", "9 pcs")]),
        ({"scarce_below": Decimal(200), "priority": Decimal(3)}, [("Scarce below", "200 pcs"), ("Priority", "3")]),
    ],
)  # fmt: skip
def test_its_part_of_the_pool_names_the_rule_that_decided_it(as_viewer, listing, own, expected):
    set_policy(listing=listing, actor=None, **own)

    pool = lines_of(why(as_viewer, listing))["Its part of the pool"]

    assert [(label, value) for _, label, value, _ in told(pool)] == expected
    assert all(
        scope == ("Listing CANDLE on Shop" if BY_LABEL.get(label) in own else "") for _, label, _, scope in told(pool)
    )


BY_LABEL = {
    "Sharing": "sharing", "Weight": "weight", "Ring-fence": "ring_fence", "Trial limit": "trial_limit",
    "Scarce below": "scarce_below", "Priority": "priority",
}  # fmt: skip


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        ({"ring_fence": Decimal(20)}, [("Ring-fence", "20 pcs")]),
        ({"scarce_below": Decimal(200), "priority": Decimal(3)}, [("Scarce below", "200 pcs"), ("Priority", "3")]),
    ],
)
def test_the_rule_of_another_channel_that_decided_is_named(as_viewer, listing, sister, author, theirs, expected):
    policy = set_policy(channel=sister.channel, actor=author, **theirs)

    pool = lines_of(why(as_viewer, listing))["Its part of the pool"]

    of_another = [one for one in pool.settings if one.of]
    assert [(one.label, one.value) for one in of_another] == expected
    assert {(one.of, one.scope, one.url) for one in of_another} == {
        ("CANDLE on Market", "Channel Market", reverse("channels_sync:policy", args=[policy.pk]))
    }


def test_the_rules_of_others_are_those_of_that_time(as_viewer, listing, sister, author):
    set_policy(channel=sister.channel, ring_fence=Decimal(20), actor=None)
    absorb_all()
    then = push_of(listing).version
    set_policy(channel=sister.channel, ring_fence=Decimal(30), actor=None)
    absorb_all()
    set_channel_mode(channel=sister.channel, mode=ChannelMode.OFF, actor=author)

    before, present = why(as_viewer, listing, version=then), why(as_viewer, listing, version="now")

    fences = [one.value for one in lines_of(before)["Its part of the pool"].settings if one.of]
    assert fences == ["20 pcs"]
    assert "Its part of the pool" not in lines_of(present), "the market is off, so nothing is kept from the shop"


def test_other_supply_shows_all_that_shaped_it(as_viewer, listing, place):
    wax = make_item(sku="WAX")
    bom = make_bom(item=listing.item, lines=[(wax, "1")])
    put_on_hand(wax, place, "10")
    row = SupplierItem.objects.create(supplier=make_supplier(code="WAXCO"), item=listing.item)
    SupplierStock.objects.create(supplier_item=row, quantity=Decimal(40), confirmed_at=timezone.now())
    set_policy(
        listing=listing, basis="buildable", buildable_percent=Decimal(50), supplier_percent=Decimal(50),
        supplier_maximum=Decimal(15), supplier_hours=Decimal(12), shelf_life_days=Decimal(30), actor=None,
    )  # fmt: skip

    answer = why(as_viewer, listing)

    lines, scope = lines_of(answer), "Listing CANDLE on Shop"
    assert told(lines["On hand, good for sale"]) == [("", "Good for at least", "30 days", scope)]
    assert told(lines["Could be built"]) == [
        ("", "Counts", "finished stock, then what could be built", scope),
        ("", "Of what could be built", "50 %", scope),
    ]
    assert told(lines["With suppliers"]) == [
        ("", "Of suppliers' stock", "50 %", scope),
        ("", "Suppliers' figures, up to", "12 hours", scope),
        ("", "Suppliers' stock, at most", "15 pcs", scope),
    ]
    assert lines["With suppliers"].settings[-1].note == "reached"
    assert lines["BOM version 1"].url == reverse("production:bom", args=[bom.pk])
    assert lines["WAXCO"].url == f"{reverse('inventory:item', args=[listing.item_id])}?tab=where#suppliers"
    assert 'id="suppliers"' in as_viewer.get(lines["WAXCO"].url).content.decode()
    assert as_viewer.get(lines["BOM version 1"].url).status_code == 200


def test_what_is_on_its_way_shows_the_days_it_may_take_and_leads_to_its_order(as_viewer, listing):
    tomorrow = timezone.localdate() + timedelta(days=1)
    bought = make_order([(listing.item, "5", "1")], expected_on=tomorrow)
    set_policy(basis="promise", incoming_days=Decimal(14), actor=None)

    lines = lines_of(why(as_viewer, listing))

    assert [(label, value, scope) for _, label, value, scope in told(lines["On its way, in time"])] == [
        ("Counts", "available and what is on its way", "Everywhere"),
        ("Incoming within", "14 days", "Everywhere"),
    ]
    assert as_viewer.get(lines[bought.number].url).status_code == 200


def test_a_trial_that_runs_one_that_ended_and_what_had_no_effect_are_told(as_viewer, listing):
    today = timezone.localdate()
    set_policy(listing=listing, trial_until=today + timedelta(days=9), weight=Decimal(4), actor=None)
    running = why(as_viewer, listing)
    set_policy(listing=listing, trial_until=today - timedelta(days=1), actor=None)
    ended = why(as_viewer, listing)

    assert told(lines_of(running)["On trial"])[0][1:] == (
        "Trial until", f"{today + timedelta(days=9):%d %b %Y}", "Listing CANDLE on Shop",
    )  # fmt: skip
    assert [(one.label, one.value) for one in running.context["why"].idle] == [("Weight", "4")]
    assert "1 more setting in force, without effect on this figure" in words_of(running)
    assert [label for _, label, *_ in told(lines_of(ended)["Withdrawn"])] == ["Trial until"]


def test_of_several_buffers_the_one_that_was_kept_is_named(as_viewer, listing):
    set_policy(channel=listing.channel, buffer_percent=Decimal(20), actor=None)
    set_policy(listing=listing, buffer=Decimal(5), actor=None)

    buffer = lines_of(why(as_viewer, listing))["Buffer kept back"]

    assert [(one.label, one.scope, one.note) for one in buffer.settings] == [
        ("Buffer, percent", "Channel Shop", "the largest, so it is kept"),
        ("Buffer", "Listing CANDLE on Shop", "not the largest"),
    ]


# --- what figures rest on ---


def test_demand_and_trust_in_the_books_are_told_in_words(as_viewer, listing, sister):
    sell(listing, 56)
    sell(sister, 14)
    set_policy(listing=listing, buffer_days=Decimal(3), doubt_percent=Decimal(10), actor=None)

    answer = why(as_viewer, listing)

    lines = lines_of(answer)
    sold = lines["Sold here in 28 days"]
    assert (sold.value, sold.unit, sold.hint) == ("56", "pcs", "2 pcs a day; of 70 pcs on all channels")
    assert (lines["Last count"].value, lines["Last count"].hint) == ("never", "50 of 50 points of doubt")
    assert "buffer for doubt" in words_of(answer).lower()


def test_movements_since_a_count_and_late_reports_are_told(as_viewer, listing):
    set_policy(listing=listing, doubt_percent=Decimal(10), actor=None)
    absorb_all()
    line = PublicationLine.objects.get(listing=listing, version=push_of(listing).version)
    line.derivation["stock"]["confidence"] = [36, 20, True]
    PublicationLine.objects.filter(pk=line.pk).update(derivation=line.derivation)

    lines = lines_of(why(as_viewer, listing))

    shown = {label: (lines[label].value, lines[label].unit, lines[label].hint) for label in DOUBTS}
    assert shown == {
        "Last count": ("36", "days ago", "10 of 50 points of doubt"),
        "Movements since": ("20", "", "3 of 30 points"),
        "Reports of its places": ("late", "", "20 points"),
    }


DOUBTS = ("Last count", "Movements since", "Reports of its places")


def test_demand_behind_a_share_is_told(as_viewer, listing, sister):
    sell(listing, 30)
    sell(sister, 10)
    set_policy(sharing="demand", actor=None)

    lines = lines_of(why(as_viewer, listing))

    assert lines["Its part of the pool"].value == "75"
    assert (lines["Sold here in 28 days"].value, lines["Sold here in 28 days"].unit) == ("30", "pcs")


# --- doors of an old figure ---


def test_the_ledger_behind_an_old_figure_ends_where_the_figure_did(as_viewer, listing, place):
    absorb_all()
    then = push_of(listing).version
    issue_stock(key=uuid4(), item=listing.item, location=place, quantity=Decimal(30), actor=None)

    old, new = why(as_viewer, listing, version=then), why(as_viewer, listing)

    for answer, quantity in ((old, 100), (new, 70)):
        counted = lines_of(answer)["HOUSE"]
        page = as_viewer.get(counted.url)
        assert counted.value == str(quantity)
        assert sum(row.movement.quantity for row in page.context["ledger"].rows) == quantity
        assert page.context["ledger_sum"] == quantity
        cutoff = answer.context["why"].derivation.snapshot.cutoff
        assert f"movements up to {cutoff}" in words_of(answer)
        assert f"Movements up to number {cutoff} only" in words_of(page)


def test_with_two_sources_each_leads_to_its_own_movements(as_viewer, listing):
    other = make_location(code="BARN")
    put_on_hand(listing.item, other, "11")

    lines = lines_of(why(as_viewer, listing))

    assert lines["On hand, good for sale"].url == ""
    for code, quantity in (("HOUSE", 100), ("BARN", 11)):
        assert as_viewer.get(lines[code].url).context["ledger_sum"] == quantity


def test_who_was_promised_then_is_listed_and_the_link_to_todays_promises_says_so(as_viewer, listing, place):
    order(listing.item, place, "1001", 5)
    order(listing.item, place, "1002", 7)
    absorb_all()
    then = push_of(listing).version
    release_reservations(demand_kind="order", demand_ref="1001", reason="cancelled", actor=None)
    order(listing.item, place, "1003", 1)

    old, new, present = (why(as_viewer, listing, **query) for query in ({"version": then}, {}, {"version": "now"}))

    assert promises(old) == {"Order 1001": "−5", "Order 1002": "−7"}
    assert promises(new) == {"Order 1002": "−7", "Order 1003": "−1"}
    assert lines_of(old)["Promised already"].value == "−12"
    assert promises(present) == promises(new)
    assert [lines_of(one)["Promised already"].hint for one in (old, new, present)] == [
        "the link shows promises as of today", "the link shows promises as of today", "",
    ]  # fmt: skip
    log = as_viewer.get(lines_of(old)["Order 1001"].url)
    assert log.status_code == 200
    assert "cancelled" in log.content.decode()


def promises(answer):
    return {line.label: line.value for line in answer.context["why"].lines if line.label.startswith("Order ")}


def test_a_promise_the_log_knows_differently_is_admitted(as_viewer, listing, place):
    order(listing.item, place, "1001", 5)
    absorb_all()
    line = PublicationLine.objects.get(listing=listing, version=push_of(listing).version)
    line.derivation["stock"]["sources"][0]["reserved_soft"] = "4"
    PublicationLine.objects.filter(pk=line.pk).update(derivation=line.derivation)

    promised = lines_of(why(as_viewer, listing))["Promised already"]

    assert promised.value == "−4"
    assert "by the log of promises 5" in promised.hint


def test_the_page_costs_the_same_for_1_and_9_promises_and_sisters(as_viewer, listing, sister, place):
    set_policy(channel=sister.channel, ring_fence=Decimal(1), actor=None)
    order(listing.item, place, "1", 1)
    why(as_viewer, listing)
    with CaptureQueriesContext(connection) as one:
        why(as_viewer, listing)
    for number in range(8):
        order(listing.item, place, f"2-{number}", 1)
        make_listing(channel=let_all_flow(make_channel()), item=listing.item)
    absorb_all()

    with CaptureQueriesContext(connection) as nine:
        answer = why(as_viewer, listing)

    assert len(promises(answer)) == 9
    assert len(nine) == len(one)


# --- over REST ---


def test_settings_and_promises_are_told_over_rest(listing, sister, place, author):
    fence = set_policy(channel=sister.channel, ring_fence=Decimal(20), actor=author)
    set_policy(listing=listing, weight=Decimal(4), actor=None)
    order(listing.item, place, "1001", 5)
    absorb_all()

    version = push_of(listing).version
    found = ApiClient(make_user(role="viewer")).get(f"listings/{listing.pk}/why/", version=version).json()

    by_name = {(one["listing_id"], one["name"]): one for one in found["settings"]}
    decided = by_name[sister.pk, "ring_fence"]
    assert (decided["shapes"], decided["value"], decided["scope"]) == ("part of the pool", "20", "Channel Market")
    assert (decided["policy_id"], decided["version"], decided["author"]) == (fence.pk, 1, "anna")
    assert (by_name[listing.pk, "weight"]["shapes"], by_name[listing.pk, "weight"]["is_set"]) == ("", True)
    assert (by_name[listing.pk, "percent"]["is_set"], by_name[listing.pk, "percent"]["policy_id"]) == (False, None)
    assert [(one["demand_ref"], one["quantity"]) for one in found["promised"]] == [("1001", "5")]
    assert (found["promised_count"], found["agrees_with_promises"]) == (1, True)


# --- doors of other pages ---


def test_the_biggest_changes_of_a_run_lead_to_why_it_gave_that_figure(client, listing, place):
    client.force_login(make_user(superuser=True))
    absorb_all()
    run = PublishRun.objects.latest("pk")
    put_on_hand(listing.item, place, "50")
    absorb_all()

    page = client.get(reverse("channels_sync:run", args=[run.pk])).content.decode()
    address = f"{reverse('channels_sync:why', args=[listing.pk])}?run={run.pk}"

    assert f'href="{address}"' in page
    assert client.get(address).context["why"].derivation.quantity == 100


def test_shown_on_the_page_of_buffers_leads_to_why(client, listing):
    client.force_login(make_user(superuser=True))
    absorb_all()

    page = client.get(reverse("channels_sync:buffers")).content.decode()

    assert f'href="{reverse("channels_sync:why", args=[listing.pk])}?version=now"' in page


def test_shown_on_the_page_of_competing_products_leads_to_why_or_to_the_listings(client, listing, sister, place):
    client.force_login(make_user(superuser=True))
    wax, other = make_item(sku="WAX"), make_item(sku="SINGLE", is_sellable=True)
    put_on_hand(wax, place, "10")
    for item in (listing.item, other):
        make_bom(item=item, lines=[(wax, "1")])
    alone = make_listing(channel=listing.channel, item=other)
    set_policy(basis="buildable", actor=None)
    absorb_all()

    page = client.get(reverse("channels_sync:competing")).content.decode()

    assert f'href="{reverse("channels_sync:why", args=[alone.pk])}"' in page
    assert f'href="{reverse("inventory:item", args=[listing.item_id])}?tab=channels" title="Its 2 listings' in page
