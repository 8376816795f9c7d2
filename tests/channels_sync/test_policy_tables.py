"""Rules and demand from tables: the effect is told before anything is kept, and a second import changes nothing."""

from decimal import Decimal

import pytest

from channels_sync.models import AllocationPolicy, ChannelDemand
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.allocating import set_policy
from channels_sync.reads import policy_effect
from inventory.importing.running import Mode, kind_named, run_import
from inventory.models import ItemCategory, SupplierItem
from tests.channels_sync.factories import make_channel, make_listing, push_of
from tests.factories import make_item, make_location, make_supplier, put_on_hand
from tests.production.factories import make_bom

pytestmark = pytest.mark.django_db
DEMAND = "Channel,Item,Day,Quantity\nshop,CANDLE,2026-01-02,3\nshop,CANDLE,2026-01-03,0\n"


@pytest.fixture(autouse=True)
def listing():
    category = ItemCategory.objects.create(name="Candles")
    item = make_item(sku="CANDLE", is_sellable=True, category=category)
    listing = make_listing(channel=make_channel(code="shop", name="Shop"), item=item)
    put_on_hand(item, make_location(), "100")
    absorb_changes()
    return listing


def bring(kind, text, mode=Mode.ALL):
    return run_import(kind=kind_named(kind), content=text.encode(), file_name=f"{kind}.csv", actor=None, mode=mode)


def outcomes(report):
    return [str(result.outcome) for result in report.results]


def messages(report):
    return [problem.message for problem in report.problems]


def test_a_check_of_rules_tells_what_channels_would_show_and_keeps_nothing(listing):
    make_listing(channel=make_channel(code="other", name="Other"), item=listing.item)
    absorb_changes()

    report = bring("policies", "Channel,Percent,Shown from\nshop,40,50\n", Mode.CHECK)

    assert report.summary == [
        "Other: 0 of 1 listings show another figure, 100 → 100 in all; 0 go to zero, 0 come back.",
        "Shop: 1 of 1 listings show another figure, 100 → 0 in all; 1 go to zero, 0 come back.",
        "The largest changes: CANDLE on Shop 100 → 0.",
    ]
    assert not AllocationPolicy.objects.exists()
    assert push_of(listing).wanted == 100


def test_every_kind_of_term_is_read_and_the_same_file_again_changes_nothing(listing):
    text = (
        "Channel,Category,Counts,Fixed figure,Sharing,Weight,Priority,Good for at least,Trial until,Buffer for doubt\n"
        "shop,Candles,fixed,30,weight,2.5,4,14,2027-01-02,12.5\n"
    )

    first, second = bring("policies", text), bring("policies", text)

    rule = AllocationPolicy.objects.get()
    assert (outcomes(first), outcomes(second), messages(first)) == (["new"], ["unchanged"], [])
    assert (rule.scope, rule.basis, rule.fixed_quantity, rule.sharing) == (
        "Category Candles on Shop",
        "fixed",
        30,
        "weight",
    )
    assert (rule.weight, rule.priority, rule.shelf_life_days) == (Decimal("2.5"), 4, 14)
    assert (f"{rule.trial_until}", rule.doubt_percent) == ("2027-01-02", Decimal("12.5"))
    absorb_changes()
    assert push_of(listing).wanted == 30


def test_a_term_of_zero_is_not_the_same_as_none(listing):
    set_policy(channel=listing.channel, buffer=Decimal(0), actor=None)

    assert outcomes(bring("policies", "Channel,Buffer\nshop,0\n")) == ["unchanged"]
    assert outcomes(bring("policies", "Channel,Buffer\nshop,\n")) == ["changed"]
    assert AllocationPolicy.objects.standing().get().buffer is None


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (",Nowhere,,,", "there is no category “Nowhere”"),
        (",Candles,CANDLE,,", "a rule is for an item, a listing or a category"),
        (",,,guess,", "is no counts"),
        (",,,fixed,", "A fixed figure is chosen, and none is given"),
        (",,,,1.5", "is no whole number"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_in_words(row, words):
    report = bring("policies", f"Channel,Category,Item,Counts,Priority\n{row}\n")

    assert any(words in message for message in messages(report)), messages(report)
    assert not AllocationPolicy.objects.exists()


def test_demand_is_checked_imported_and_the_same_file_again_changes_nothing(listing):
    seen = bring("demand", DEMAND, Mode.CHECK)
    assert not ChannelDemand.objects.exists()

    made, again = bring("demand", DEMAND), bring("demand", DEMAND)
    other = bring("demand", DEMAND.replace(",3\n", ",4\n"))

    assert [outcomes(report) for report in (seen, made, again, other)] == [
        ["new", "new"], ["new", "new"], ["unchanged", "unchanged"], ["changed", "unchanged"],
    ]  # fmt: skip
    rows = ChannelDemand.objects.order_by("day").values_list("item__sku", "channel__code", "quantity")
    assert list(rows) == [("CANDLE", "shop", 4), ("CANDLE", "shop", 0)]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("nowhere,CANDLE,2026-01-02,1", "there is no channel"),
        ("shop,NONE,2026-01-02,1", "there is no item NONE"),
        ("shop,CANDLE,2999-01-02,1", "it has not come yet"),
        ("shop,CANDLE,2026-01-02,-1", "is below zero"),
        ("shop,CANDLE,2026-01-02,", "the quantity is empty"),
    ],
)
def test_demand_that_cannot_be_is_refused_in_words(row, words):
    report = bring("demand", f"Channel,Item,Day,Quantity\n{row}\n")

    assert any(words in message for message in messages(report)), messages(report)
    assert not ChannelDemand.objects.exists()


# --- What an import changes on channels -------------------------------------------------------------------------------


def test_only_what_the_file_touches_is_worked_out_and_what_shows_most_comes_first(listing, monkeypatch):
    """Other listings have smaller ids; with room for two, those of the file that show most are looked at."""
    site = make_location()
    others = [make_listing(channel=listing.channel, item=make_item(sku=f"B{n}", is_sellable=True)) for n in range(4)]
    for number, other in enumerate(others):
        put_on_hand(other.item, site, str(10 + number))
    while absorb_changes():
        pass
    monkeypatch.setattr(policy_effect, "LISTINGS_OF_ACT_MAX", 2)

    report = bring("policies", "Channel,Item,Percent\nshop,B0,0\nshop,B2,0\nshop,B3,0\n", Mode.CHECK)

    assert report.summary == [
        "Shop: 2 of 2 listings show another figure, 25 → 0 in all; 2 go to zero, 0 come back.",
        "The largest changes: B3 on Shop 13 → 0, B2 on Shop 12 → 0.",
        "Of 3 listings the 2 that show most were looked at.",
    ]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("opening_stock", "SKU,Location,Quantity\nCANDLE,NEW,20\n"),
        ("adjustments", "SKU,Location,Quantity,Reason\nCANDLE,MAIN,20,found\n"),
        ("supplier_stock", "Supplier,SKU,Quantity\nWAXCO,CANDLE,20\n"),
        ("external_stock", "Location,SKU,Quantity\n3PL,CANDLE,20\n"),
    ],
)
def test_a_check_of_quantities_tells_what_channels_would_show(listing, kind, text):
    put_on_hand(listing.item, make_location(code="MAIN"), "1")
    make_location(code="NEW")
    make_location(code="3PL", kind="3pl")
    SupplierItem.objects.create(supplier=make_supplier(code="WAXCO"), item=listing.item)
    set_policy(supplier_percent=Decimal(100), actor=None)
    while absorb_changes():
        pass

    report = bring(kind, text, Mode.CHECK)

    assert report.problems == []
    assert report.summary[-2:] == [
        "Shop: 1 of 1 listings show another figure, 101 → 121 in all; 0 go to zero, 0 come back.",
        "The largest changes: CANDLE on Shop 101 → 121.",
    ]
    assert push_of(listing).wanted == 101


def test_a_check_of_a_component_tells_what_is_made_of_it(listing):
    wax = make_item(sku="WAX")
    put_on_hand(wax, make_location(code="MAIN"), "5")
    make_bom(item=listing.item, lines=[(wax, "1")])
    set_policy(basis="buildable", actor=None)
    while absorb_changes():
        pass

    report = bring("adjustments", "SKU,Location,Quantity,Reason\nWAX,MAIN,-3,broken\n", Mode.CHECK)

    assert report.summary[-1] == "The largest changes: CANDLE on Shop 105 → 102."
