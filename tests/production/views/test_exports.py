"""Lists of production as tables to take away: all that is filtered, whatever page is shown."""

import csv
import io
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from production.operations.demands import make_for_demand
from production.operations.disassembling import disassemble
from production.operations.work_orders import cancel_work_order, open_work_order
from tests.production.factories import complete
from tests.production.views.test_learning import proposed, used  # noqa: F401

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


def taken(client, address):
    answer = client.get(address)
    assert answer.status_code == 200
    assert answer["Content-Disposition"].startswith("attachment")
    return list(csv.DictReader(io.StringIO(answer.getvalue().decode("utf-8-sig"))))


def open_one(workshop, planned, **fields):
    return open_work_order(
        item=workshop.candle, planned=Decimal(planned), output_location=workshop.finished, actor=None, **fields
    )


def test_work_orders_of_every_state_or_of_one(as_viewer, workshop):
    due = timezone.localdate() + timedelta(days=3)
    first = open_one(workshop, "20", due_on=due, note="for the fair")
    complete(workshop.candle, "8", order=first)
    gone = open_one(workshop, "5")
    cancel_work_order(work_order=gone, actor=None)

    every = {row["Order"]: row for row in taken(as_viewer, "/make/orders/?export=csv")}
    cancelled = taken(as_viewer, "/make/orders/?export=csv&state=cancelled")

    assert set(every) == {first.number, gone.number}
    row = every[first.number]
    assert (row["State"], row["Planned"], row["Good"], row["Remaining"]) == ("In progress", "20", "8", "12")
    assert (row["Due"], row["Note"], row["SKU"]) == (due.isoformat(), "for the fair", "CANDLE")
    assert [row["Order"] for row in cancelled] == [gone.number]
    assert "export=csv" in as_viewer.get("/make/orders/").content.decode()


def test_demands_with_what_is_done_about_them(as_planner, workshop):
    complete(workshop.candle, "3", into=workshop.finished)
    make_for_demand(
        demand_kind="order",
        demand_ref="1042",
        item=workshop.candle,
        quantity=Decimal(10),
        location=workshop.finished,
        mode="shortage",
        actor=None,
    )

    (row,) = taken(as_planner, "/make/orders/demands/?export=csv")

    assert (row["Reference"], row["Asked for"], row["Reserved"], row["Coming"], row["Missing"]) == (
        "1042",
        "10",
        "3",
        "7",
        "0",
    )
    assert row["Made by"].startswith("WO-")
    assert "export=xlsx" in as_planner.get("/make/orders/demands/").content.decode()


def test_what_was_taken_apart(as_viewer, workshop):
    done = complete(workshop.candle, "3", into=workshop.finished).completion
    disassemble(key=uuid4(), completion=done, quantity=Decimal(1), location=workshop.finished, actor=None)

    (row,) = taken(as_viewer, "/make/disassemblies/?export=csv")

    assert (row["SKU"], row["Taken apart"], row["Of completion"]) == ("CANDLE", "1", str(done.pk))
    assert "export=csv" in as_viewer.get("/make/disassemblies/").content.decode()


def test_what_was_learned(as_viewer, proposed):  # noqa: F811
    (row,) = taken(as_viewer, "/make/learning/?export=csv")

    assert (row["Item"], row["Component"], row["Standard"], row["Median"]) == ("CANDLE", "WAX", "200", "210")
    assert "export=csv" in as_viewer.get("/make/learning/").content.decode()


@pytest.mark.parametrize("address", ["/make/orders/?export=csv", "/make/orders/demands/?export=csv"])
def test_a_table_takes_as_many_statements_for_one_row_as_for_many(as_planner, workshop, address):
    counts = []
    for many in (1, 8):
        for number in range(many):
            make_for_demand(
                demand_kind="order",
                demand_ref=f"{many}-{number}",
                item=workshop.candle,
                quantity=Decimal(2),
                location=workshop.finished,
                mode="always",
                window_hours=0,
                actor=None,
            )
        taken(as_planner, address)
        with CaptureQueriesContext(connection) as queries:
            taken(as_planner, address)
        counts.append(len(queries))

    assert counts[0] == counts[1]


def test_another_word_than_a_kind_of_file_shows_the_page(as_viewer, workshop):
    open_one(workshop, "2")

    for address in ("orders/", "orders/demands/", "disassemblies/", "learning/"):
        assert as_viewer.get(f"/make/{address}?export={'x' * 600}").status_code == 200
