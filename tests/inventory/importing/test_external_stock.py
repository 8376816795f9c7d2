from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from inventory.importing.running import ImportOptions, Mode, kind_named, run_import
from inventory.models import Item, LocationKind, Posting
from tests.factories import make_item, make_location, on_hand, put_on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


def run(text, mode=Mode.ALL, **options):
    return run_import(
        kind=kind_named("external_stock"),
        content=text.encode(),
        file_name="fba.csv",
        actor=None,
        mode=mode,
        options=ImportOptions(**options),
    )


@pytest.fixture
def fba():
    place = make_location(code="FBA", kind=LocationKind.CHANNEL_OWNED)
    earlier = timezone.now() - timedelta(days=3)
    for sku, quantity in (("WAX", "10"), ("JAR", "5"), ("LID", "7")):
        put_on_hand(make_item(sku=sku), place, quantity, effective_at=earlier)
    return place


def on_hand_of(sku, place=None):
    return on_hand(Item.objects.get(sku=sku), location=place)


FILE = "seller-sku,fulfillment-center,afn-fulfillable-quantity,disposition\nWAX,FBA,8,sellable\nJAR,FBA,5,SELLABLE\n"


def outcomes(report):
    return [(result.label, str(result.outcome), result.note) for result in report.results]


def test_a_check_shows_the_difference_and_keeps_nothing(fba):
    report = run(FILE, mode=Mode.CHECK)

    assert outcomes(report) == [("WAX at FBA", "changed", ""), ("JAR at FBA", "unchanged", "")]
    assert [(c.old, c.new) for c in report.results[0].changes] == [("10 pcs", "8 pcs")]
    fba.refresh_from_db()
    assert (Posting.objects.filter(kind="adjustment").count(), fba.stock_as_of) == (0, None)


def test_the_same_file_again_changes_nothing(fba):
    run(FILE)
    postings = Posting.objects.count()

    again = run(FILE)

    assert {outcome for _, outcome, _ in outcomes(again)} == {"unchanged"}
    assert Posting.objects.count() == postings


def test_rows_that_are_missing_zero_nothing_unless_the_report_is_complete(fba):
    part = run(FILE)
    assert "LID" in part.summary[0]
    assert on_hand_of("LID") == 7

    whole = run(FILE, is_complete=True)

    assert outcomes(whole)[0] == ("LID at FBA", "changed", "not in the report")
    assert on_hand_of("LID") == 0


def test_places_are_reported_each_for_itself(fba):
    other = make_location(code="3PL", kind=LocationKind.THIRD_PARTY)
    shelf = make_location(code="3PL-1", parent=other, kind=LocationKind.THIRD_PARTY)

    report = run("SKU,Location,Qty\nWAX,FBA,9\nWAX,3PL-1,4\n")

    assert report.is_applied
    assert on_hand_of("WAX", shelf) == 4
    assert on_hand_of("WAX", fba) == 9
    assert Posting.objects.filter(kind="adjustment").count() == 2


def test_the_moment_of_the_report_dates_it(fba):
    day = timezone.localdate() - timedelta(days=1)

    run(f"SKU,Location,Qty,As of\nWAX,FBA,9,{day}\n")

    posting = Posting.objects.latest("pk")
    assert timezone.localtime(posting.effective_at - timedelta(seconds=1)).date() == day


def test_own_places_unknown_items_and_mixed_moments_are_refused_by_row(fba):
    make_location(code="OWN")

    report = run("SKU,Location,Qty,As of\nWAX,OWN,1,\nNOTHING,FBA,1,\nWAX,FBA,8,2026-01-01\nJAR,FBA,8,2026-01-02\n")

    assert [(problem.row, problem.column) for problem in report.problems] == [
        (2, "Location"),
        (3, "SKU"),
        (4, "SKU"),
        (5, "SKU"),
    ]
    assert not report.is_applied
    assert on_hand_of("WAX") == Decimal(10)
