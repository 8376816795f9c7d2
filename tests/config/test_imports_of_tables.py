"""Imports of categories, packs, locations, lots, count classes, listings, rules and more: what changes, what is refused."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from channels_sync.models import AllocationPolicy, DriftSetting, Listing, ListingPush, SendingWindow
from channels_sync.operations.allocating import set_policy
from inventory.importing.running import Mode, kind_named, run_import
from inventory.models import CountClass, ItemCategory, ItemUnit, Location, Lot, StockChange
from tests.channels_sync.factories import make_channel, make_listing
from tests.factories import make_item, make_location, make_unit, put_on_hand

pytestmark = pytest.mark.django_db


def bring(kind, text, mode=Mode.ALL, actor=None):
    return run_import(kind=kind_named(kind), content=text.encode(), file_name=f"{kind}.csv", actor=actor, mode=mode)


def outcomes(report):
    return [(str(result.outcome), [(c.field, c.old, c.new) for c in result.changes]) for result in report.results]


def problems(report):
    return [(problem.row, problem.column, problem.message) for problem in report.problems]


CASES = {
    "categories": "Category,Below\nSoy,Wax\nNuts//Bolts,\n",
    "item_units": "Item,Unit,Stock units,Per,Barcode,Bought in\nWAX,box,12,,00042,yes\nWAX,third,1,3,,\n",
    "locations": "Code,Name,Inside,Kind\nBIN,Bin 1,SHELF,\nSHELF,Shelf,SITE,\nSITE,Site,,own\n",
    "lots": "Item,Lot,Received,Expires,Supplier lot,Owner,Note\nLOTTED,L-1,2026-01-02,2027-01-02,S,Ours,n\n",
    "count_classes": "Class,Counts a year,Tolerance %,Share of usage value %,Approval above\nA,12,0.5,70,250\n",
    "listings": "Channel,SKU on the channel,Item,Title,Pack size\nshop,CANDLE-3,CANDLE,Three candles,3\n",
    "policies": "Channel,Item,Listing,Percent,Buffer\nshop,,,90,2\n,CANDLE,,,1\n,,,100,\n",
    "campaigns": "Campaign,Starts,Ends,Item,Percent\nS,2099-12-01 08:00,2099-12-10,,90\nS,2099-12-01 08:00,2099-12-10,CANDLE,5\n",
    "sending_windows": "Channel,Hours,Days,From,Until\nshop,quiet,Mon-Fri,22:00,6:00\nshop,open,,8:00,20:00\n",
    "drift_settings": "Channel,Minutes to settle,Edited\nshop,30,adopt\n",
}


@pytest.fixture
def company():
    make_item(sku="WAX")
    make_item(sku="LOTTED", tracking="lot")
    make_item(sku="CANDLE", is_sellable=True)
    make_channel(code="shop", name="Shop")


@pytest.mark.parametrize("kind", CASES)
def test_a_check_writes_nothing_an_import_all_of_it_and_a_second_import_nothing(company, planner, kind):
    def stored():
        models = (
            ItemCategory, ItemUnit, Location, Lot, CountClass, Listing, AllocationPolicy, SendingWindow, DriftSetting,
        )  # fmt: skip
        return [list(model.history.values_list("history_id")) for model in models]

    before = stored()
    seen = bring(kind, CASES[kind], Mode.CHECK)
    assert stored() == before

    made = bring(kind, CASES[kind], actor=planner)
    after = stored()
    again = bring(kind, CASES[kind], actor=planner)

    assert (problems(made), made.is_applied) == ([], True)
    assert outcomes(seen) == outcomes(made)
    assert {result.outcome for result in made.results} <= {"new", "changed"}
    assert {result.outcome for result in again.results} == {"unchanged"}
    assert stored() == after != before


@pytest.mark.parametrize("kind", CASES)
def test_the_person_who_imports_stands_in_the_history(company, planner, kind):
    models = {
        "categories": ItemCategory,
        "item_units": ItemUnit,
        "locations": Location,
        "lots": Lot,
        "count_classes": CountClass,
        "listings": Listing,
        "policies": AllocationPolicy,
        "campaigns": AllocationPolicy,
        "sending_windows": SendingWindow,
        "drift_settings": DriftSetting,
    }
    history = models[kind].history
    known = set(history.values_list("history_id", flat=True))

    bring(kind, CASES[kind], actor=planner)

    assert set(history.exclude(history_id__in=known).values_list("history_user", flat=True)) == {planner.pk}


# --- Categories -------------------------------------------------------------------------------------------------------


def test_categories_are_made_with_the_way_to_them_and_slashes_in_names_are_written_twice():
    bring("categories", "Category,Below\nSoy/Fine,Wax\nNuts//Bolts,\n")

    assert {(one.name, one.parent and one.parent.name) for one in ItemCategory.objects.all()} == {
        ("Wax", None),
        ("Soy", "Wax"),
        ("Fine", "Soy"),
        ("Nuts/Bolts", None),
    }


# --- Packs ------------------------------------------------------------------------------------------------------------


def test_a_pack_is_brought_up_to_date_and_an_equal_ratio_is_no_change(company):
    wax = make_item(sku="X")
    make_unit(item=wax, name="Box", numerator="24", denominator="2")

    report = bring("item_units", "Item,Unit,Stock units,Barcode\nX,box,12,0042\n")

    unit = ItemUnit.objects.get(item=wax)
    assert outcomes(report) == [("changed", [("Barcode", "", "0042")])]
    assert (unit.name, unit.numerator, unit.denominator, unit.barcode) == ("Box", Decimal(24), Decimal(2), "0042")


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [
        ("NONE,box,1", "Item", "there is no item NONE"),
        ("WAX,,1", "Unit", "the unit has no name"),
        ("WAX,box,", "Stock units", "a new box of WAX needs the number"),
        ("WAX,box,0", "Stock units", "0 is not above zero"),
        ("WAX,box,-3", "Stock units", "-3 is not above zero"),
    ],
)
def test_a_pack_that_cannot_be_is_refused(company, row, column, words):
    report = bring("item_units", f"Item,Unit,Stock units\n{row}\n")

    [(number, where, message)] = problems(report)
    assert (number, where) == (2, column)
    assert words in message
    assert not ItemUnit.objects.exists()


# --- Locations --------------------------------------------------------------------------------------------------------


def test_locations_come_in_any_order_and_stand_where_the_file_says(company):
    bring("locations", CASES["locations"])

    by_code = {place.code: place for place in Location.objects.all()}
    site, shelf, bin_ = (by_code[code] for code in ("SITE", "SHELF", "BIN"))
    assert (site.path, shelf.path, bin_.path) == (
        f"/{site.pk}/",
        f"/{site.pk}/{shelf.pk}/",
        f"/{site.pk}/{shelf.pk}/{bin_.pk}/",
    )


def test_a_location_moves_with_everything_below_it():
    site, other = make_location(code="SITE"), make_location(code="OTHER")
    shelf = make_location(code="SHELF", parent=site)
    bin_ = make_location(code="BIN", parent=shelf)

    report = bring("locations", "Code,Inside,Blocked\nSHELF,OTHER,yes\nBIN,,\n")

    bin_.refresh_from_db()
    assert outcomes(report)[0] == ("changed", [("Inside", "SITE", "OTHER"), ("Blocked", "no", "yes")])
    assert bin_.path == f"/{other.pk}/{shelf.pk}/{bin_.pk}/"
    assert Location.objects.get(code="SHELF").is_blocked


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Code,Inside\nA,B\nB,A\n", "it would stand inside itself"),
        ("Code,Inside\nSITE,BIN\n", "it would stand inside itself"),
        ("Code,Inside\nA,NOWHERE\n", "there is no location NOWHERE"),
        ("Code,Kind\nA,cellar\n", "is no kind of location"),
        ("Code,Kind\nA,in transit\n", "Goods in transit are not sellable"),
        ("Code,Active\nBIN,no\n", "BIN holds stock"),
        ("Code,Name\nA,One\na,Two\n", "stands in row 2 already"),
    ],
)
def test_a_tree_that_cannot_be_is_refused(text, words):
    bin_ = make_location(code="BIN", parent=make_location(code="SITE"))
    put_on_hand(make_item(), bin_, "1")

    report = bring("locations", text)

    assert not report.is_applied
    assert any(words in message for _, _, message in problems(report))
    assert set(Location.objects.values_list("code", "is_active")) == {("BIN", True), ("SITE", True)}


# --- Lots -------------------------------------------------------------------------------------------------------------


def test_a_lot_gets_another_expiry_and_empty_cells_change_nothing(company):
    place, item = make_location(), make_item(sku="MILK", tracking="lot")
    put_on_hand(item, place, "5", lot="M-1", expires_on=date(2026, 12, 1))

    report = bring("lots", "Item,Lot,Expires,Supplier lot,Note\nmilk,m-1,2026-12-24,,Checked\n")

    lot = Lot.objects.named().get(item=item)
    assert outcomes(report) == [("changed", [("Expires", "2026-12-01", "2026-12-24"), ("Note", "", "Checked")])]
    assert (lot.code, lot.expires_on, lot.note) == ("M-1", date(2026, 12, 24), "Checked")


def test_an_item_without_lots_gets_none(company):
    report = bring("lots", "Item,Lot\nWAX,L-1\n")

    assert [message for _, _, message in problems(report)] == [
        "WAX is not tracked by lot, so it has none. Switch tracking on first."
    ]
    assert not Lot.objects.named().exists()


# --- Listings and rules -----------------------------------------------------------------------------------------------


def test_new_listings_can_publish_and_their_items_are_told(company):
    report = bring("listings", CASES["listings"])

    listing = Listing.objects.get()
    assert (listing.pack_size, listing.title, ListingPush.objects.get().listing) == (
        Decimal(3),
        "Three candles",
        listing,
    )
    assert report.results[0].label == "CANDLE-3 on shop"
    assert StockChange.objects.filter(items=[listing.item_id], cause="import listings").exists()


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [
        ("nowhere,A,CANDLE,1", "Channel", "there is no channel “nowhere”"),
        ("shop,A,NONE,1", "Item", "there is no item NONE"),
        ("shop,A,WAX,1", "Item", "WAX is not marked as sellable"),
        ("shop,A,CANDLE,0", "Pack size", "a pack of 0 cannot be sold"),
        ("shop,OWN,LOTTED,1", "Item", "OWN on Shop offers CANDLE; that stays"),
    ],
)
def test_a_listing_that_cannot_be_is_refused(company, row, column, words):
    item = make_item(is_sellable=True).__class__.objects.get(sku="CANDLE")
    make_listing(channel=Listing.channel.field.related_model.objects.get(), item=item, external_sku="OWN")

    report = bring("listings", f"Channel,SKU on the channel,Item,Pack size\n{row}\n")

    [(_, where, message)] = problems(report)
    assert where == column
    assert words in message
    assert Listing.objects.count() == 1


def test_a_rule_is_the_whole_rule_where_the_file_has_a_column_and_the_rest_stays(company):
    channel = Listing.channel.field.related_model.objects.get()
    set_policy(channel=channel, percent=Decimal(80), buffer=Decimal(5), note="why", actor=None)

    report = bring("policies", "Channel,Percent\nshop,\n")

    rule = AllocationPolicy.objects.get(channel=channel, effective_to__isnull=True)
    assert outcomes(report) == [("changed", [("Percent", "80", "")])]
    assert (rule.version, rule.percent, rule.buffer, rule.note) == (2, None, Decimal(5), "why")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("shop,,,101,,", "The percent is 101"),
        ("shop,,NONE,,,", "Shop has no listing NONE"),
        (",,NONE,,,", "a listing is named by its channel"),
        (",NONE,,,,", "there is no item NONE"),
        ("shop,,,,10,5", "it is above the maximum"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(company, row, words):
    report = bring("policies", f"Channel,Item,Listing,Percent,Shown from,At most\n{row}\n")

    assert any(words in message for _, _, message in problems(report))
    assert not AllocationPolicy.objects.exists()


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("policies", "shop,,,90,{note}"),
        ("campaigns", "Sale,2099-01-01,2099-01-02,90,{note}"),
    ],
)
def test_a_rule_with_too_long_a_note_is_not_written_without_it(company, kind, row):
    head = {"policies": "Channel,Item,Listing,Percent,Note\n", "campaigns": "Campaign,Starts,Ends,Percent,Note\n"}

    report = bring(kind, head[kind] + row.format(note="x" * 251) + "\n", Mode.CLEAN)

    assert [(number, column) for number, column, _ in problems(report)] == [(2, "Note")]
    assert not AllocationPolicy.objects.exists()


@pytest.mark.parametrize("kind", ["item_units", "locations", "lots", "listings"])
def test_the_number_of_statements_does_not_depend_on_the_number_of_rows(kind):
    make_channel(code="shop")
    texts = {
        "item_units": ("Item,Unit,Stock units\n", "S{n},box,{n}\n"),
        "locations": ("Code,Name\n", "P{n},Place\n"),
        "lots": ("Item,Lot\n", "S{n},L\n"),
        "listings": ("Channel,SKU on the channel\n", "shop,S{n}\n"),
    }
    for number in range(1, 43):
        make_item(sku=f"S{number}", tracking="lot", is_sellable=True)
    counts = []
    for numbers in (range(1, 3), range(3, 43)):
        head, row = texts[kind]
        with CaptureQueriesContext(connection) as queries:
            report = bring(kind, head + "".join(row.format(n=n) for n in numbers))
        assert report.is_applied, problems(report)
        counts.append(len(queries))
    assert counts[0] == counts[1]
