"""The files of everything about one order, one run of publishing and one listing."""

import json
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from channels_sync.models import PublishRun
from channels_sync.operations.recomputing import recompute_all
from inventory.models import ItemKind
from inventory.operations.receiving_orders import Arrival, receive_order
from inventory.operations.reversing import reverse_posting
from production.operations.work_orders import open_work_order
from tests.channels_sync.factories import let_all_flow, make_channel, make_listing
from tests.factories import make_item, make_location, make_order, make_user, put_on_hand
from tests.production.factories import complete, make_bom

pytestmark = pytest.mark.django_db


@pytest.fixture
def as_planner(client):
    client.force_login(make_user(role="planner"))
    return client


def content(client, name, key):
    answer = client.get(reverse(name, args=[key]))
    assert answer["Content-Disposition"].startswith("attachment; filename=")
    return json.loads(answer.content)


def queries(client, name, key):
    with CaptureQueriesContext(connection) as captured:
        content(client, name, key)
    return len(captured)


@pytest.fixture
def made():
    wax, candle, bench = make_item(sku="WAX"), make_item(sku="CANDLE", kind=ItemKind.PRODUCT), make_location()
    put_on_hand(wax, bench, "1000", value="1000.00")
    make_bom(item=candle, lines=[(wax, "2")])
    return open_work_order(item=candle, planned=Decimal(100), output_location=bench, actor=None)


def test_file_of_a_work_order_holds_what_was_made_of_it_and_nothing_else(as_planner, made):
    complete(order=made, good="3", into=made.output_location)
    complete(made.item, "1", into=made.output_location)

    file = content(as_planner, "work_order_file", made.number)

    tables = file["tables"]
    assert file["work_order"] == made.number
    assert [row["good"] for row in tables["work_order"]["rows"]] == ["3.000000"]
    assert [row["good"] for row in tables["completions"]["rows"]] == ["3.000000"]
    assert [row["actual"] for row in tables["completion_lines"]["rows"]] == ["6.000000"]
    assert sorted(row["quantity"] for row in tables["movements"]["rows"]) == ["-6.000000", "3.000000"]
    assert sorted(row["sku"] for row in tables["items"]["rows"]) == ["CANDLE", "WAX"]
    assert [row["kind"] for row in tables["postings"]["rows"]] == ["completion"]


def test_file_of_a_purchase_order_holds_its_receipts_and_what_undid_them(as_planner):
    jar = make_item(sku="JAR")
    order, other = make_order([(jar, 10, "20.00")]), make_order([(jar, 7, "7.00")])
    arrivals = [
        receive_order(key=uuid4(), order=one, arrivals=[Arrival(one.lines.get(), Decimal(5))], actor=None).posting
        for one in (order, order, other)
    ]
    reverse_posting(key=uuid4(), posting=arrivals[0], actor=None)

    tables = content(as_planner, "purchase_order_file", order.number)["tables"]

    assert [row["number"] for row in tables["purchase_order"]["rows"]] == [order.number]
    assert [row["kind"] for row in tables["postings"]["rows"]] == ["reversal", "receipt", "receipt"]
    assert [row["quantity"] for row in tables["movements"]["rows"]] == ["-5.000000", "5.000000", "5.000000"]
    assert [row["is_reversed"] for row in tables["receipt_lines"]["rows"]] == [False, True]


@pytest.fixture
def published():
    jar, bench = make_item(sku="JAR", is_sellable=True), make_location()
    put_on_hand(jar, bench, "8", value="8.00")
    channel = let_all_flow(make_channel(code="shop"))
    listing = make_listing(channel=channel, item=jar)
    recompute_all(cause="test")
    return listing


def test_file_of_a_run_holds_its_figures_with_their_derivation_and_no_credentials(as_planner, published):
    run = PublishRun.objects.get()

    file = content(as_planner, "run_file", run.pk)

    tables = file["tables"]
    assert (file["run"], [row["id"] for row in tables["run"]["rows"]]) == (str(run.pk), [run.pk])
    assert [(row["listing"], row["after"]) for row in tables["publications"]["rows"]] == [(published.pk, 8)]
    assert tables["publications"]["rows"][0]["derivation"]
    assert [row["external_sku"] for row in tables["listings"]["rows"]] == [published.external_sku]
    (channel,) = tables["channels"]["rows"]
    assert channel["code"] == "shop"
    assert not {"credentials", "base_url"} & set(channel)


def test_file_of_a_listing_holds_every_version_it_was_given(as_planner, published):
    put_on_hand(published.item, make_location(), "2", value="2.00")
    recompute_all(cause="test")

    tables = content(as_planner, "listing_file", published.pk)["tables"]

    assert [row["after"] for row in tables["publications"]["rows"]] == [10, 8]
    assert len(tables["runs"]["rows"]) == 2
    assert [row["wanted"] for row in tables["listing_pushes"]["rows"]] == [10]
    assert len(tables["listing_history"]["rows"]) == 1


def test_file_of_an_order_costs_the_same_number_of_queries_with_1_and_20_rows(as_planner, made):
    complete(order=made, good="1", into=made.output_location)
    one = queries(as_planner, "work_order_file", made.number)
    for _ in range(19):
        complete(order=made, good="1", into=made.output_location)

    assert queries(as_planner, "work_order_file", made.number) == one


def test_file_of_a_listing_costs_the_same_number_of_queries_with_1_and_20_rows(as_planner, published):
    one = queries(as_planner, "listing_file", published.pk)
    for _ in range(19):
        put_on_hand(published.item, make_location(), "2", value="2.00")
        recompute_all(cause="test")

    assert queries(as_planner, "listing_file", published.pk) == one


def test_pages_offer_the_files_to_whoever_may_read_the_audit(client, made, published):
    order, run = make_order([(make_item(), 1, "1.00")]), PublishRun.objects.get()
    pages = {
        "work_order_file": ("production:work_order", made.number),
        "purchase_order_file": ("buying:order", order.number),
        "run_file": ("channels_sync:run", run.pk),
        "listing_file": ("channels_sync:listing", published.pk),
    }
    for role, is_offered in (("planner", True), ("operator", False)):
        client.force_login(make_user(role=role))
        for file, (page, key) in pages.items():
            address = reverse(file, args=[key])
            assert (address in client.get(reverse(page, args=[key])).content.decode()) is is_offered, page
            assert client.get(address).status_code == (200 if is_offered else 403)
