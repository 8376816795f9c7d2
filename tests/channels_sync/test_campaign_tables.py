"""Campaigns from tables: planned once, set anew where a rule differs, and left as they are when the file comes again."""

from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from channels_sync.models import AllocationPolicy, Campaign
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.campaigns import CampaignRule, add_campaign_rule, end_campaign, plan_campaign
from inventory.importing.exporting import export_of, header_of
from inventory.importing.moments import moment_text
from inventory.importing.running import Mode, kind_named, run_import
from inventory.models import ItemCategory
from inventory.web import csv_lines
from tests.channels_sync.factories import make_channel, make_listing, push_of
from tests.factories import make_item, make_location, put_on_hand

pytestmark = pytest.mark.django_db
SALE = (
    "Campaign,Starts,Ends,Channel,Item,Percent,Buffer,Note\n"
    "Sale,2099-12-01 08:00,2099-12-10,shop,,50,,half\n"
    "Sale,2099-12-01 08:00,2099-12-10,,CANDLE,,3,\n"
    "Sale,2100-12-01 08:00,2100-12-10,,,20,,\n"
)


@pytest.fixture(autouse=True)
def listing():
    category = ItemCategory.objects.create(name="Candles")
    item = make_item(sku="CANDLE", is_sellable=True, category=category)
    listing = make_listing(channel=make_channel(code="shop", name="Shop"), item=item)
    put_on_hand(item, make_location(), "100")
    absorb_changes()
    return listing


def bring(text, mode=Mode.ALL, **options):
    return run_import(
        kind=kind_named("campaigns"), content=text.encode(), file_name="c.csv", actor=None, mode=mode, **options
    )


def taken_out():
    kind = kind_named("campaigns")
    export = export_of(kind)
    return "".join(csv_lines(header_of(kind, export), export.rows()))


def outcomes(report):
    return [str(result.outcome) for result in report.results]


def problems(report):
    return [(problem.row, problem.column, problem.message) for problem in report.problems]


def stored():
    return list(Campaign.objects.order_by("pk").values()), list(AllocationPolicy.history.values_list("history_id"))


def in_hours(hours):
    return timezone.now() + timedelta(hours=hours)


def planned(name="Sale", *, starts_in=-1, ends_in=24, note="", **terms):
    rule = CampaignRule(terms or {"percent": Decimal(50)})
    return plan_campaign(
        name=name, starts_at=in_hours(starts_in), ends_at=in_hours(ends_in), rules=[rule], note=note, actor=None
    )


def row_of(campaign, *, percent="50", name=None, starts=None, ends=None):
    """The file of a campaign with one rule for everything."""
    starts = moment_text(campaign.starts_at - timedelta(minutes=5)) if starts is None else starts
    return (
        "Campaign,Starts,Ends,Percent\n"
        f"{name or campaign.name},{starts},{moment_text(campaign.ends_at) if ends is None else ends},{percent}\n"
    )


def test_a_check_writes_nothing_an_import_plans_campaigns_with_all_their_rules_and_the_second_nothing():
    seen = bring(SALE, Mode.CHECK)
    assert not Campaign.objects.exists()

    made = bring(SALE, expected=seen.fingerprint)
    after = stored()
    again = bring(SALE)

    assert (problems(made), made.is_applied) == ([], True)
    assert [outcomes(report) for report in (seen, made, again)] == [["new"] * 3, ["new"] * 3, ["unchanged"] * 3]
    assert stored() == after
    later, sale = Campaign.objects.all()
    assert [rule.scope for rule in sale.rules.order_by("pk")] == ["Channel Shop", "Item CANDLE"]
    assert (moment_text(sale.starts_at), moment_text(sale.ends_at)) == ("2099-12-01 08:00", "2099-12-10 00:00")
    assert later.rules.get().terms == {"percent": 20}


def test_the_check_says_when_a_campaign_runs_and_what_it_sets():
    first = bring(SALE, Mode.CHECK).results[0]

    assert (first.group, first.label) == ("Sale", "shop")
    assert [(c.field, c.old, c.new) for c in first.changes] == [
        ("Starts", "", "2099-12-01 08:00"),
        ("Ends", "", "2099-12-10 00:00"),
        ("Percent", "", "50"),
        ("Note", "", "half"),
    ]


def test_a_rule_that_differs_is_set_anew_a_new_one_is_added_and_what_the_file_does_not_name_stays():
    bring(SALE)
    text = SALE.replace(",shop,,50,", ",shop,,40,").replace(",,CANDLE,,3,", ",shop,CANDLE,,3,")

    report, again = bring(text), bring(text)

    assert (outcomes(report), outcomes(again)) == (["changed", "new", "unchanged"], ["unchanged"] * 3)
    assert [(c.field, c.old, c.new) for c in report.results[0].changes] == [("Percent", "50", "40")]
    sale = Campaign.objects.order_by("starts_at").first()
    assert [(rule.scope, rule.version, rule.terms) for rule in sale.rules.order_by("pk")] == [
        ("Channel Shop", 1, {"percent": 50}),
        ("Item CANDLE", 1, {"buffer": 3}),
        ("Channel Shop", 2, {"percent": 40}),
        ("CANDLE on Shop", 1, {"buffer": 3}),
    ]


def test_a_campaign_whose_start_has_passed_begins_at_once_and_the_same_file_changes_nothing(listing):
    text = f"Campaign,Starts,Ends,Channel,Percent\nNow,2020-01-01,{moment_text(in_hours(24))},shop,50\n"

    seen, made = bring(text, Mode.CHECK), bring(text)
    again = bring(text)
    absorb_changes()

    assert seen.summary[0] == "Shop: 1 of 1 listings show another figure, 100 → 50 in all; 0 go to zero, 0 come back."
    assert [result.note for result in made.results] == ["its start has passed: it begins at once"]
    assert (outcomes(made), outcomes(again)) == (["new"], ["unchanged"])
    assert Campaign.objects.get().starts_at <= timezone.now()
    assert push_of(listing).wanted == 50


def test_a_rule_of_a_running_campaign_is_set_anew_at_once(listing):
    campaign = planned()

    report = bring(row_of(campaign, percent="30"))
    absorb_changes()

    assert outcomes(report) == ["changed"]
    assert push_of(listing).wanted == 30


def test_a_campaign_that_ended_by_itself_is_unchanged_and_refused_where_it_differs():
    campaign = planned(ends_in=2)
    same, other = row_of(campaign), row_of(campaign, percent="40")

    with time_machine.travel(in_hours(3)):
        before = stored()
        kept, refused = bring(same), bring(other)

    assert (outcomes(kept), problems(kept)) == (["unchanged"], [])
    [(row, column, words)] = problems(refused)
    assert (row, column) == (2, "Campaign")
    assert words == f"Sale ended on {moment_text(campaign.ends_at)}, and what it did stays. Plan another."
    assert stored() == before


@pytest.mark.parametrize("starts_in", [-1, 5])
def test_a_campaign_that_somebody_ended_is_not_begun_again_by_its_file(starts_in):
    campaign = planned(starts_in=starts_in)
    text = row_of(campaign) if starts_in < 0 else row_of(campaign, starts=moment_text(campaign.starts_at))
    end_campaign(campaign=campaign, actor=None)
    before = stored()

    report = bring(text)

    [(row, column, words)] = problems(report)
    assert (row, column, words[:14]) == (2, "Campaign", "Sale ended on ")
    assert stored() == before


def test_a_campaign_is_neither_moved_nor_doubled_by_a_file():
    campaign = planned(starts_in=5)
    starts, later = moment_text(campaign.starts_at), moment_text(in_hours(6))

    other_end = bring(row_of(campaign, starts=starts, ends=moment_text(in_hours(48))))
    other_start = bring(row_of(campaign, starts=later))
    apart = bring(row_of(campaign, starts=moment_text(in_hours(48)), ends=moment_text(in_hours(49))))

    assert [(row, column) for row, column, _ in problems(other_end)] == [(2, "Ends")]
    assert "a file does not move that" in problems(other_end)[0][2]
    assert [(row, column) for row, column, _ in problems(other_start)] == [(2, "Starts")]
    assert "already. Give these moments" in problems(other_start)[0][2]
    assert outcomes(apart) == ["new"]
    assert Campaign.objects.count() == 2


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [
        (",2099-01-01,2099-01-02,,,,50", "Campaign", "the campaign has no name"),
        (f"{'x' * 101},2099-01-01,2099-01-02,,,,50", "Campaign", "the most are 100"),
        ("Sale,,2099-01-02,,,,50", "Starts", "it is empty"),
        ("Sale,soon,2099-01-02,,,,50", "Starts", "“soon” is not a date with a time"),
        ("Sale,2099-01-01,,,,,50", "Ends", "it is empty"),
        ("Sale,2099-01-02,2099-01-01,,,,50", "Ends", "before it begins"),
        ("Sale,2020-01-02,2020-01-03,,,,50", "Ends", "before it begins"),
        ("Sale,2099-01-01,2099-01-02,nowhere,,,50", "Channel", "there is no channel"),
        ("Sale,2099-01-01,2099-01-02,,Nowhere,,50", "Category", "there is no category"),
        ("Sale,2099-01-01,2099-01-02,,,NONE,50", "Item", "there is no item NONE"),
        ("Sale,2099-01-01,2099-01-02,,Candles,CANDLE,50", "Category", "a rule is for an item, a listing or a category"),
        ("Sale,2099-01-01,2099-01-02,,,,101", "Percent", "The percent is 101"),
        ("Sale,2099-01-01,2099-01-02,,,,much", "Percent", "much"),
        ("Sale,2099-01-01,2099-01-02,,,,", "Percent", "sets nothing"),
    ],
)
def test_a_row_that_cannot_be_is_refused_at_its_cell(row, column, words):
    report = bring(f"Campaign,Starts,Ends,Channel,Category,Item,Percent\n{row}\n")

    [(number, where, message)] = problems(report)
    assert (number, where) == (2, column)
    assert words in message
    assert outcomes(report) == ["refused"]
    assert not Campaign.objects.exists()


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [
        ("sale,2099-01-01,2099-01-09,,50", "Ends", "by row 2 it runs from 2099-01-01 00:00 until 2099-01-05 00:00"),
        ("Sale,2099-01-02,2099-01-05,,50", "Starts", "by row 2 it runs"),
        ("Sale,2099-01-01 00:00,2099-01-05,,40", "Campaign", "Sale, Everywhere stands in row 2 already"),
    ],
)
def test_rows_that_contradict_one_above_are_refused_and_the_others_planned(row, column, words):
    report = bring(f"Campaign,Starts,Ends,Channel,Percent\nSale,2099-01-01,2099-01-05,,50\n{row}\n", Mode.CLEAN)

    [(number, where, message)] = problems(report)
    assert (number, where) == (3, column)
    assert words in message
    assert outcomes(report) == ["new", "refused"]
    assert Campaign.objects.get().rules.get().terms == {"percent": 50}


def test_a_copy_of_a_row_and_a_total_are_skipped():
    row = "Sale,2099-01-01,2099-01-05,50\n"

    assert outcomes(bring(f"Campaign,Starts,Ends,Percent\n{row}{row},,Total,50\n")) == ["new", "skipped", "skipped"]


def test_what_was_taken_out_comes_in_again_unchanged(listing):
    running, coming = planned("Running, now", note="=why"), planned("=Coming", starts_in=48, ends_in=96)
    add_campaign_rule(
        campaign=coming, rule=CampaignRule({"buffer": Decimal("1.5")}, listing=listing, note="own"), actor=None
    )
    add_campaign_rule(campaign=coming, rule=CampaignRule({"percent": Decimal(10)}), actor=None)
    add_campaign_rule(
        campaign=running, rule=CampaignRule({"percent": Decimal(20)}, channel=listing.channel), actor=None
    )
    end_campaign(campaign=planned("Ended"), actor=None)
    planned("running, NOW", ends_in=24.5)  # another of the same name
    before = stored()
    export = export_of(kind_named("campaigns"))

    text = taken_out()
    report = bring(text)

    assert (problems(report), outcomes(report)) == ([], ["unchanged"] * 5)
    assert export.count() == 5
    assert stored() == before
    assert "Ended" not in text


def test_one_that_was_planned_twice_is_one_in_its_file():
    starts_at, ends_at = in_hours(5), in_hours(6)
    for percent, channel in ((10, None), (20, None), (30, make_channel(code="other"))):
        rule = CampaignRule({"percent": Decimal(percent)}, channel=channel)
        plan_campaign(name="Sale", starts_at=starts_at, ends_at=ends_at, rules=[rule], actor=None)
    before = stored()

    report = bring(taken_out())

    assert (problems(report), outcomes(report)) == ([], ["unchanged"] * 2)
    assert stored() == before


def test_a_column_the_file_does_not_have_changes_nothing():
    campaign = planned(starts_in=5, note="why", percent=Decimal(50), buffer=Decimal(2))

    report = bring(row_of(campaign, starts=moment_text(campaign.starts_at), percent="40"))

    assert outcomes(report) == ["changed"]
    newest = campaign.rules.order_by("version").last()
    assert (newest.terms, newest.note) == ({"percent": 40, "buffer": 2}, "why")


def test_statements_do_not_grow_with_rows_that_change_nothing():
    text = "Campaign,Starts,Ends,Item,Percent\n"
    for number in range(20):
        make_item(sku=f"S{number}")
        text += f"Sale {number % 3},2099-01-01,2099-01-05,S{number},50\n"
    bring(text)
    few = "".join(text.splitlines(keepends=True)[:2])
    counts = []
    for rows in (few, few, text):
        with CaptureQueriesContext(connection) as queries:
            assert set(outcomes(bring(rows))) == {"unchanged"}
        counts.append(len(queries))

    assert counts[1] == counts[2]
