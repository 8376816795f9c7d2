"""Pages of counting: what they show to whom, and what they do."""

import csv
import io
from decimal import Decimal
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import strip_tags

from inventory.importing.running import ImportOptions, Mode, kind_named, run_import
from inventory.models import CountClass, CountLine, CountLineState, CountSheet, CountSheetState, Item, Posting, Tracking
from inventory.operations.ranking_counts import rank_items
from inventory.operations.reserving import reserve_stock
from tests.factories import make_item, make_location, make_user, on_hand, put_on_hand
from tests.inventory.operations.counting_steps import (
    approve_from,
    count,
    count_for_sure,
    line_of,
    open_sheet,
    scan,
    submit,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]


def client_of(role):
    client = Client()
    client.force_login(make_user(role=role))
    return client


@pytest.fixture
def as_counter(db):
    return client_of("counter")


@pytest.fixture
def as_approver(db):
    return client_of("approver")


@pytest.fixture
def site():
    return make_location(code="SITE")


def text_of(response):
    return response.content.decode()


def words_of(response):
    return " ".join(strip_tags(text_of(response)).split())


def test_plan_says_why_a_cell_is_due(as_planner, site):
    never, overdue, right = make_item(sku="NEVER"), make_item(sku="OVERDUE"), make_item(sku="RIGHT")
    for item in (never, overdue, right):
        put_on_hand(item, site, "100", value="1.00")
    sheet = open_sheet(site, items=[overdue, right])
    count(line_of(sheet, overdue), "100")
    count(line_of(sheet, right), "100")
    submit(sheet)
    overdue.count_group = "A"
    overdue.save()
    CountClass.objects.filter(group="A").update(counts_per_year=Decimal(9999))  # every day
    rank_items()

    page = as_planner.get(reverse("inventory:count_plan"))

    assert {row["cell"].sku: row["cell"].reasons for row in page.context["rows"]} == {
        "NEVER": ("never",),
        "OVERDUE": ("overdue",),
    }
    assert "Never counted" in text_of(page)
    assert "RIGHT" not in text_of(page)


def test_plan_shows_only_the_chosen_place(as_planner, site):
    put_on_hand(make_item(sku="HERE"), site, "1")
    put_on_hand(make_item(sku="ELSEWHERE"), make_location(), "1")

    part = as_planner.get(
        reverse("inventory:count_plan"), {"place": site.pk}, headers={"HX-Request": "true", "HX-Target": "plan"}
    )

    assert "HERE" in text_of(part)
    assert "ELSEWHERE" not in text_of(part)
    assert "<html" not in text_of(part)


def test_what_is_due_in_all_is_counted_apart(as_planner, site):
    items = [make_item() for _ in range(3)]
    for item in items:
        put_on_hand(item, site, "1")
    open_sheet(site, items=items[:1])

    page = as_planner.get(reverse("inventory:count_plan"))
    totals = as_planner.get(page.context["totals_url"])

    assert "cells due" not in text_of(page)
    assert "3 cells due, 2 of them on no sheet yet" in words_of(totals)
    assert "Never counted 3" in words_of(totals)


def test_plan_lists_the_most_urgent_and_says_that_there_are_more(as_planner, site, monkeypatch):
    monkeypatch.setattr("inventory.views.counts.DUE_SHOWN_MAX", 2)
    for _ in range(3):
        put_on_hand(make_item(), site, "1")

    page = as_planner.get(reverse("inventory:count_plan"))

    assert len(page.context["rows"]) == 2
    assert "The 2 most urgent are listed" in words_of(page)


def test_classes_are_worked_out_on_demand(as_planner, site):
    put_on_hand(make_item(), site, "1")
    assert "Items were never put into classes" in text_of(as_planner.get(reverse("inventory:count_plan")))

    answer = as_planner.post(reverse("inventory:rank_items"), follow=True)

    assert "1 items put in order" not in text_of(answer)
    assert "1 item put in order by what was used of it in a year" in text_of(answer)
    assert "as of" in text_of(answer)


def test_sheet_is_opened_for_somebody(as_planner, site, operator):
    item = make_item(sku="JAR")
    put_on_hand(item, site, "5")
    put_on_hand(make_item(), site, "5")

    answer = as_planner.post(
        reverse("inventory:open_count_sheet"),
        {"location": "site", "what": "items", "items": "jar", "is_blind": "on", "assigned_to": operator.pk},
    )

    sheet = CountSheet.objects.get()
    assert answer.url == reverse("inventory:count_sheet", args=[sheet.number])
    assert (sheet.is_blind, sheet.assigned_to, [line.item for line in sheet.lines.all()]) == (True, operator, [item])


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"what": "items", "items": ""}, "Name the items to count"),
        ({"what": "items", "items": "NO-SUCH"}, "There is no item with SKU or barcode NO-SUCH"),
        ({"what": "all", "location": "NOWHERE"}, "There is no location with code"),
        ({"what": "all"}, "Nothing of what was chosen stands at SITE"),
    ],
)
def test_sheet_that_cannot_be_opened_says_why(as_planner, site, fields, said):
    answer = as_planner.post(reverse("inventory:open_count_sheet"), {"location": "SITE", "top": "5", **fields})

    assert said in text_of(answer)
    assert CountSheet.objects.count() == 0


def test_counter_goes_through_a_sheet_cell_by_cell(as_counter, site):
    one, two = make_item(sku="AAA"), make_item(sku="BBB")
    for item in (one, two):
        put_on_hand(item, site, "100", value="100.00")
    sheet = open_sheet(site)
    first, second = line_of(sheet, one), line_of(sheet, two)

    assert as_counter.get(reverse("inventory:count_next", args=[sheet.number])).url.endswith(f"/lines/{first.pk}/")
    assert "I am there" in text_of(as_counter.get(reverse("inventory:count_line", args=[first.pk])))
    as_counter.post(reverse("inventory:scan_count_line", args=[first.pk]))
    assert "How many are there?" in text_of(as_counter.get(reverse("inventory:count_line", args=[first.pk])))
    saved = as_counter.post(reverse("inventory:count_line", args=[first.pk]), {"quantity": "99", "unit": "pcs"})
    assert as_counter.get(saved.url).url.endswith(f"/lines/{second.pk}/")
    as_counter.post(reverse("inventory:count_line", args=[second.pk]), {"nothing": "1"})

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, first.counted) == (CountLineState.COUNTED, Decimal(99))
    assert (second.state, second.first_counted) == (CountLineState.RECOUNT, Decimal(0))


def test_second_count_by_the_same_person_needs_to_say_so(as_counter, site):
    item = make_item()
    put_on_hand(item, site, "100", value="100.00")
    sheet = open_sheet(site)
    line = line_of(sheet, item)
    make_user(role="operator")
    url = reverse("inventory:count_line", args=[line.pk])
    as_counter.post(url, {"quantity": "10", "unit": "pcs"})

    refused = as_counter.post(url, {"quantity": "10", "unit": "pcs"})
    assert refused.status_code == 422
    assert "somebody else should make the second" in text_of(refused)
    as_counter.post(url, {"quantity": "10", "unit": "pcs", "alone": "on"})

    line.refresh_from_db()
    assert (line.state, line.is_recounted_alone) == (CountLineState.COUNTED, True)


@pytest.mark.parametrize("code", ["bbb", "4006381333931", "SHELF"])
def test_scanned_code_leads_to_its_cell_and_freezes_it(as_counter, site, code):
    shelf = make_location(code="SHELF", parent=site)
    one, two = make_item(sku="AAA"), make_item(sku="BBB", barcode="4006381333931")
    put_on_hand(one, site, "5")
    put_on_hand(two, shelf, "5")
    sheet = open_sheet(site)
    first, second = line_of(sheet, one), line_of(sheet, two)

    answer = as_counter.post(reverse("inventory:scan_count_line", args=[first.pk]), {"code": code})

    assert answer.url == reverse("inventory:count_line", args=[second.pk])
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.scanned_at, second.expected) == (None, Decimal(5))


def test_scanned_code_that_is_not_on_the_sheet_says_so(as_counter, site):
    item = make_item()
    put_on_hand(item, site, "5")
    line = line_of(open_sheet(site), item)

    answer = as_counter.post(reverse("inventory:scan_count_line", args=[line.pk]), {"code": "OTHER"})

    assert answer.status_code == 409
    assert "Nothing on this sheet has the code “OTHER”" in text_of(answer)
    line.refresh_from_db()
    assert line.scanned_at is None


def test_something_else_is_found_and_counted(as_counter, site):
    put_on_hand(make_item(), site, "5")
    sheet = open_sheet(site)
    make_item(sku="WAX", tracking=Tracking.LOT)
    url = reverse("inventory:count_found", args=[sheet.number])

    missing = as_counter.post(url, {"item": "wax", "location": "site", "status": "available"})
    assert "is tracked by lot" in text_of(missing)
    added = as_counter.post(url, {"item": "wax", "location": "site", "lot_code": "L1", "status": "available"})

    line = CountLine.objects.get(item__sku="WAX")
    assert added.url == reverse("inventory:count_line", args=[line.pk])
    assert (line.is_unexpected, line.lot.code) == (True, "L1")


def test_unknown_thing_that_was_found_is_told(as_counter, site):
    put_on_hand(make_item(), site, "5")
    sheet = open_sheet(site)

    answer = as_counter.post(
        reverse("inventory:count_found", args=[sheet.number]),
        {"item": "???", "location": "NOWHERE", "status": "available"},
    )

    assert answer.status_code == 422
    assert "There is no item with SKU or barcode" in text_of(answer)
    assert "There is no location with code" in text_of(answer)


EXPECTED = "73914"
COST = "64.27"


def pages_of(client, sheet):
    """Every page of a count that the person may open, as one text."""
    paths = [reverse("today"), reverse("inventory:counts"), reverse("inventory:count_sheet", args=[sheet.number])]
    paths += [reverse("inventory:count_line", args=[line.pk]) for line in sheet.lines.all()]
    paths += [reverse("inventory:count_found", args=[sheet.number])]
    answers = [client.get(path, follow=True) for path in paths]
    assert {answer.status_code for answer in answers} == {200}
    return " ".join(text_of(answer) for answer in answers)


def shows_expected(text):
    return any(figure in text for figure in (EXPECTED, "73,914", COST, "Expected"))


@pytest.mark.parametrize("is_blind", [True, False])
def test_who_only_counts_never_sees_what_is_expected(as_counter, site, is_blind):
    item = make_item()
    put_on_hand(item, site, EXPECTED, value=COST)
    sheet = open_sheet(site, is_blind=is_blind)
    line = line_of(sheet, item)

    seen = [pages_of(as_counter, sheet)]
    as_counter.post(reverse("inventory:scan_count_line", args=[line.pk]))
    seen.append(pages_of(as_counter, sheet))
    url = reverse("inventory:count_line", args=[line.pk])
    seen.append(text_of(as_counter.post(url, {"quantity": "1.5", "unit": "pcs"})))
    seen.append(text_of(as_counter.post(url, {"quantity": "5", "unit": "pcs"}, follow=True)))
    as_counter.post(url, {"quantity": "5", "unit": "pcs", "alone": "on"})
    seen.append(pages_of(as_counter, sheet))
    submitted = as_counter.post(
        reverse("inventory:submit_count_sheet", args=[sheet.number]), {"key": uuid4()}, follow=True
    )
    seen += [text_of(submitted), pages_of(as_counter, sheet)]

    assert [shows_expected(text) for text in seen] == [False] * len(seen)
    assert line_of(sheet, item).state == CountLineState.POSTED


def test_blind_sheet_shows_nothing_to_anybody_while_it_is_counted(as_planner, site):
    item = make_item()
    put_on_hand(item, site, EXPECTED, value=COST)
    blind = open_sheet(site)
    scan(line_of(blind, item))
    url = reverse("inventory:count_sheet", args=[blind.number])

    assert not shows_expected(text_of(as_planner.get(url)))
    count_for_sure(line_of(blind, item), "73913")
    submit(blind)
    assert shows_expected(text_of(as_planner.get(url)))


def test_open_sheet_shows_what_is_expected_to_who_may_see_stock(as_planner, as_counter, site):
    item = make_item()
    put_on_hand(item, site, EXPECTED, value=COST)
    sheet = open_sheet(site, is_blind=False)
    scan(line_of(sheet, item))
    url = reverse("inventory:count_sheet", args=[sheet.number])

    assert shows_expected(text_of(as_planner.get(url)))
    assert not shows_expected(text_of(as_counter.get(url)))


def test_submit_that_is_refused_says_which_cells_are_left(as_counter, site):
    item = make_item(sku="JAR")
    put_on_hand(item, site, "5")
    sheet = open_sheet(site)

    answer = as_counter.post(reverse("inventory:submit_count_sheet", args=[sheet.number]), {"key": uuid4()})

    assert answer.status_code == 409
    assert "1 of 1 cells" in text_of(answer)
    assert "JAR at SITE" in text_of(answer)


def to_review(site, *, quantity="98"):
    approve_from("0")
    item = make_item(sku="JAR")
    put_on_hand(item, site, "100", value="200.00")
    sheet = open_sheet(site)
    count(line_of(sheet, item), quantity, actor=make_user(role="counter"))
    submit(sheet)
    return sheet, line_of(sheet, item)


def test_approver_gives_a_cause_and_posts(as_approver, site):
    sheet, line = to_review(site)
    url = reverse("inventory:approve_count", args=[sheet.number])
    assert "Why does JAR differ?" in text_of(as_approver.get(reverse("inventory:count_sheet", args=[sheet.number])))

    refused = as_approver.post(url, {"line": line.pk, "key": uuid4(), f"line{line.pk}-note": "torn"})
    assert refused.status_code == 409
    assert "needs a cause" in text_of(refused)
    assert "torn" in text_of(refused)
    as_approver.post(
        url, {"line": line.pk, "key": uuid4(), f"line{line.pk}-cause": "scrap", f"line{line.pk}-note": "torn"}
    )

    line.refresh_from_db()
    assert (line.cause, line.note, line.state) == ("scrap", "torn", CountLineState.POSTED)
    assert on_hand(line.item) == Decimal(98)


def test_approver_sends_a_line_back(as_approver, site):
    sheet, line = to_review(site)

    as_approver.post(
        reverse("inventory:approve_count", args=[sheet.number]), {"line": line.pk, "key": uuid4(), "send_back": "1"}
    )

    sheet.refresh_from_db()
    line.refresh_from_db()
    assert (sheet.state, line.state, on_hand(line.item)) == (
        CountSheetState.OPEN,
        CountLineState.RECOUNT,
        Decimal(100),
    )


def test_person_who_counted_is_not_offered_to_approve(site):
    approve_from("0")
    item = make_item()
    put_on_hand(item, site, "100", value="200.00")
    sheet = open_sheet(site)
    planner = make_user(role="planner")
    count(line_of(sheet, item), "98", actor=planner)
    submit(sheet)
    client = Client()
    client.force_login(planner)

    page = text_of(client.get(reverse("inventory:count_sheet", args=[sheet.number])))
    answer = client.post(
        reverse("inventory:approve_count", args=[sheet.number]),
        {"line": line_of(sheet, item).pk, "key": uuid4(), f"line{line_of(sheet, item).pk}-cause": "scrap"},
    )

    assert "Counted by you" in page
    assert 'name="line"' not in page
    assert answer.status_code == 409
    assert Posting.objects.filter(kind="count").count() == 0


def test_cause_of_a_small_variance_is_told_afterwards(as_approver, site):
    item = make_item()
    put_on_hand(item, site, "100", value="200.00")
    sheet = open_sheet(site)
    line = line_of(sheet, item)
    count(line, "98")
    submit(sheet)

    as_approver.post(reverse("inventory:explain_count_line", args=[line.pk]), {f"line{line.pk}-cause": "bom_error"})

    line.refresh_from_db()
    assert line.cause == "bom_error"


def test_cut_promises_are_reported_on_the_page(as_approver, site):
    item = make_item(sku="JAR")
    put_on_hand(item, site, "10", value="10.00")
    reserve_stock(
        item=item, location=site, quantity=Decimal(9), demand_kind="order", demand_ref="1001", actor=None, pinned=True
    )
    sheet = open_sheet(site)
    count_for_sure(line_of(sheet, item), "8")
    submit(sheet)

    page = text_of(as_approver.get(reverse("inventory:count_sheet", args=[sheet.number])))

    assert "Less is there than was promised" in page
    assert "order 1001" in page


def test_sheet_is_cancelled(as_planner, site):
    put_on_hand(make_item(), site, "10")
    sheet = open_sheet(site)

    as_planner.post(reverse("inventory:cancel_count_sheet", args=[sheet.number]))

    sheet.refresh_from_db()
    assert sheet.state == CountSheetState.CANCELLED


def test_accuracy_stands_by_class_and_month_with_its_causes(as_viewer, site):
    exact, near, off = make_item(), make_item(), make_item()
    for item in (exact, near, off):
        put_on_hand(item, site, "100", value="100.00")
    sheet = open_sheet(site)
    for item, figure in ((exact, "100"), (near, "96"), (off, "50")):
        count_for_sure(line_of(sheet, item), figure)
    submit(sheet)

    page = as_viewer.get(reverse("inventory:count_accuracy"))

    report = page.context["report"]
    assert (report.total.within, report.total.counted) == (2, 3)
    assert [(month.total.within, month.total.counted) for month in report.months] == [(2, 3)]
    assert dict(report.by_group)["C"].counted == 3
    assert [(row.label, row.lines, row.value) for row in report.causes] == [("Not explained yet", 2, Decimal(-54))]
    assert "66.6" in text_of(page)


def test_pages_cost_the_same_with_1_and_20_rows(as_planner, site):
    def queries(cells):
        place = make_location()
        for _ in range(cells):
            put_on_hand(make_item(), place, "100", value="100.00")
        sheet = open_sheet(place)
        lines = list(sheet.lines.all())
        for line in lines:
            count(line, "99")
        submit(sheet)
        put_on_hand(make_item(), place, "100", value="100.00")
        again = open_sheet(place)
        found = {}
        for name, arguments in (
            ("counts", []),
            ("count_plan", []),
            ("count_plan_totals", []),
            ("count_accuracy", []),
            ("count_sheet", [sheet.number]),
            ("count_line", [again.lines.first().pk]),
            ("count_sheet", [again.number]),
        ):
            with CaptureQueriesContext(connection) as captured:
                assert as_planner.get(reverse(f"inventory:{name}", args=arguments)).status_code == 200
            found[(name, bool(arguments), len(found))] = len(captured)
        return found

    queries(1)

    assert queries(1) == queries(20)


def test_missing_sheet_is_not_found(as_planner):
    assert as_planner.get(reverse("inventory:count_sheet", args=["CS-999999"])).status_code == 404


def table_of(client, sheet):
    answer = client.get(reverse("inventory:count_sheet", args=[sheet.number]), {"export": "csv"})
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))


def test_sheet_goes_out_as_a_table_and_comes_in_with_what_was_counted(as_counter, site):
    one, two = make_item(sku="AAA", tracking="lot"), make_item(sku="BBB")
    put_on_hand(one, site, EXPECTED, lot="L1", value=COST)
    put_on_hand(two, site, EXPECTED, status="qc_hold", value=COST)
    sheet = open_sheet(site)

    rows = table_of(as_counter, sheet)
    assert [(r["Sheet"], r["SKU"], r["Location"], r["Lot"], r["Counted"]) for r in rows] == [
        (sheet.number, "AAA", "SITE", "L1", ""),
        (sheet.number, "BBB", "SITE", "", ""),
    ]
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0])
    writer.writeheader()
    writer.writerows({**row, "Counted": "7"} for row in rows)
    report = run_import(
        kind=kind_named("counts"),
        content=out.getvalue().encode(),
        file_name="counted.csv",
        actor=None,
        mode=Mode.ALL,
        options=ImportOptions(),
    )

    assert report.is_applied, report.problems
    assert [row["Counted"] for row in table_of(as_counter, sheet)] == ["", ""]  # far from expected: once more
    assert [line.first_counted for line in sheet.lines.order_by("pk")] == [7, 7]


@pytest.mark.parametrize("is_blind", [True, False])
def test_a_table_shows_what_is_expected_to_those_who_see_it_on_the_sheet(as_counter, as_planner, site, is_blind):
    put_on_hand(make_item(sku="AAA"), site, EXPECTED, value=COST)
    sheet = open_sheet(site, is_blind=is_blind)

    assert not shows_expected(str(table_of(as_counter, sheet)))
    assert ("Expected" in table_of(as_planner, sheet)[0]) is not is_blind


def taken(client, address):
    answer = client.get(address)
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.getvalue().decode("utf-8-sig"))))


def test_sheets_and_what_is_due_are_taken_away_as_tables(as_planner, as_counter, site):
    for sku in ("HERE", "THERE"):
        put_on_hand(make_item(sku=sku), site, "7391628")
    sheet = open_sheet(site, items=[Item.objects.get(sku="HERE")])

    sheets = taken(as_counter, f"{reverse('inventory:counts')}?export=csv")
    due = {row["SKU"]: row for row in taken(as_planner, f"{reverse('inventory:count_plan')}?export=csv")}

    assert [(row["Sheet"], row["Cells"], row["To count"]) for row in sheets] == [(sheet.number, "1", "1")]
    assert (due["HERE"]["On sheet"], due["HERE"]["Why"], due["HERE"]["On hand"]) == (
        sheet.number,
        "Never counted",
        "7391628",
    )
    assert due["THERE"]["On sheet"] == ""
    assert as_counter.get(f"{reverse('inventory:count_plan')}?export=csv").status_code == 403
    assert "export=csv" in text_of(as_planner.get(reverse("inventory:count_plan")))
    assert "7391628" not in str(sheets)
    assert as_planner.get(f"{reverse('inventory:counts')}?export={'x' * 600}").status_code == 200


def test_who_plans_counts_without_seeing_stock_learns_no_quantity_from_the_table(site):
    put_on_hand(make_item(sku="HERE"), site, "7391628")
    client, user = Client(), make_user()
    user.user_permissions.add(Permission.objects.get(codename="plan_counts", content_type__app_label="inventory"))
    client.force_login(user)

    (row,) = taken(client, f"{reverse('inventory:count_plan')}?export=csv")

    assert (row["SKU"], row["On hand"], row["Moved"]) == ("HERE", "", "")
