"""Many completions on one page."""

from decimal import Decimal
from uuid import uuid4

import pytest

from production.models import Completion
from tests.factories import make_item, make_location, on_hand
from tests.production.factories import complete

pytestmark = pytest.mark.usefixtures("ledger_stays_true")

URL = "/make/complete/many/"


def send(client, rows, action, **more):
    """`rows` are (what, good, scrap, reason, into)."""
    keys = more.pop("keys", [str(uuid4()) for _ in rows])
    body = {"key": keys, "action": action, **more}
    for place, name in enumerate(("what", "good", "scrapped", "scrap_reason", "into")):
        body[name] = [row[place] for row in rows]
    for name in ("lot", "reason", "note", "used", "scrap_place"):
        body[name] = more.get(name) or ["" for _ in rows]
    return client.post(URL, body)


CANDLE = ("CANDLE", "10", "", "", "FINISHED")
TOO_MANY = ("CANDLE", "45", "", "", "FINISHED")


def told(response):
    return [(row.message, row.done is not None, row.is_posted) for row in response.context["rows"]]


def test_is_closed_to_a_viewer(as_viewer):
    assert as_viewer.get(URL).status_code == 403


def test_shows_an_empty_grid(as_operator, workshop):
    response = as_operator.get(URL)

    assert response.status_code == 200
    assert len(response.context["rows"]) == 5


def test_rows_are_taken_in_from_a_spreadsheet_and_checked_one_after_the_other(as_operator, workshop):
    pasted = (
        "SKU\tGood\tScrap\tScrap reason\tInto\nCANDLE\t10\t1\tBroken\tFINISHED\nCANDLE\t45\t\t\tFINISHED\nNOPE\t1\n"
    )

    response = send(as_operator, [], "paste", pasted=pasted)

    first, second, third = told(response)
    assert first == ("", True, False)
    assert "WORKSHOP" in second[0] or "Stock holds" in second[0]  # 9 kg were needed, 7.8 are left by the first row
    assert third[0] == "Nothing that can be made is called “NOPE”."
    assert Completion.objects.count() == 0


def test_all_or_none_posts_nothing_when_one_is_refused_and_keeps_what_was_typed(as_operator, workshop):
    response = send(as_operator, [CANDLE, TOO_MANY], "all")

    assert response.status_code == 422
    assert [row.cells["good"] for row in response.context["rows"]] == ["10", "45"]
    assert [message != "" for message, _, _ in told(response)] == [False, True]
    assert Completion.objects.count() == 0


def test_all_are_posted_when_all_can_be(as_operator, workshop):
    response = send(as_operator, [CANDLE, CANDLE], "all")

    assert (response.status_code, response["Location"]) == (302, "/make/completions/")
    assert on_hand(workshop.candle) == 20


def test_each_by_itself_posts_those_that_can_be(as_operator, workshop):
    response = send(as_operator, [CANDLE, TOO_MANY, CANDLE], "each")

    assert [posted for _, _, posted in told(response)] == [True, False, True]
    assert on_hand(workshop.candle) == 20


def test_sending_the_rows_again_posts_them_once(as_operator, workshop):
    keys = [str(uuid4()), str(uuid4())]

    send(as_operator, [CANDLE, CANDLE], "each", keys=keys)
    send(as_operator, [CANDLE, CANDLE], "each", keys=keys)

    assert on_hand(workshop.candle) == 20


def test_a_row_without_a_place_takes_the_one_for_all(as_operator, workshop):
    send(as_operator, [("CANDLE", "2", "", "", "")], "all", default_into="FINISHED")

    assert Completion.objects.get().output_location == workshop.finished


def test_a_row_names_what_was_really_used(as_operator, workshop):
    used = ["WAX = 2.1 kg [L-2] (spilled); WICK = 11 spoiled 1", "wick = 9 (one was reused)"]

    send(as_operator, [CANDLE, CANDLE], "all", used=used)

    lines = [
        (line.component.sku, line.expected, line.actual, line.scrapped, line.cause, line.reason)
        for done in Completion.objects.order_by("pk")
        for line in done.lines.select_related("component").order_by("pk")
    ]
    assert lines == [
        ("WAX", 2, Decimal("2.1"), 0, "", "spilled"),
        ("WICK", 10, 11, 1, "scrap", "Spoiled"),
        ("WAX", 2, 2, 0, "", ""),
        ("WICK", 10, 9, 0, "", "one was reused"),
    ]
    assert (on_hand(workshop.wax, lot="L-2"), on_hand(workshop.wax, lot="L-1")) == (Decimal("3.9"), 2)
    assert on_hand(workshop.wick) == 80


def test_a_check_says_what_differs_from_the_standard(as_operator, workshop):
    response = send(as_operator, [CANDLE], "check", used=["WAX = 2100 g (spilled)"])

    (row,) = response.context["rows"]
    assert (row.variances, row.is_posted) == ("WAX 2.1 instead of 2 kg", False)
    assert "WAX 2.1 instead of 2 kg" in response.content.decode()
    assert response.context["is_wide"]
    assert Completion.objects.count() == 0


@pytest.mark.parametrize(
    ("used", "message"),
    [
        ("2.1 kg", "does not say what was used"),
        ("NOPE = 1", "There is no item NOPE"),
        ("WAX = 2 pcs", "WAX"),
        ("WAX = 2 kg [L-9]", "WAX has no lot L-9"),
        ("WAX = 2 kg [L-1 2, L-2]", "is left for the lot without a quantity"),
        ("WAX = 2.1 kg", "Give a reason for each"),
        ("JAR for WAX = 2", "JAR is not approved instead of WAX"),
        ("WICK = 11 spoiled 12 (dropped)", "cannot be spoiled"),
    ],
)
def test_what_cannot_have_been_used_is_refused_in_its_row(as_operator, workshop, used, message):
    make_item(sku="JAR")
    workshop.bom.__class__.objects.filter(pk=workshop.bom.pk).update(deviation_policy="reason")

    response = send(as_operator, [CANDLE, CANDLE], "all", used=["", used])

    assert response.status_code == 422
    first, second = response.context["rows"]
    assert (first.message, second.message != "") == ("", True)
    assert message in second.message
    assert Completion.objects.count() == 0


def test_a_row_says_where_its_scrap_was_put(as_operator, workshop):
    make_location(code="BIN")
    scrap = ("CANDLE", "9", "1", "Broken", "FINISHED")

    unknown = send(as_operator, [scrap], "all", scrap_place=["NOWHERE"])
    send(as_operator, [scrap, CANDLE], "all", scrap_place=["bin", "bin"])

    assert "There is no own place NOWHERE." in told(unknown)[0][0]
    first, second = Completion.objects.order_by("pk")
    assert (first.scrap_location.code, second.scrap_location) == ("BIN", None)


def test_a_row_far_above_the_usual_quantity_is_asked_about_and_holds_for_that_figure(as_operator, workshop):
    for _ in range(3):
        complete(workshop.candle, "1", into=workshop.finished)
    keys, many = [str(uuid4())], ("CANDLE", "30", "", "", "FINISHED")

    asked = send(as_operator, [many], "all", keys=keys)
    (row,) = asked.context["rows"]
    other = send(as_operator, [("CANDLE", "31", "", "", "FINISHED")], "all", keys=keys, confirmed=row.confirmation)
    posted = send(as_operator, [many], "all", keys=keys, confirmed=row.confirmation)

    assert ("far more than the usual 1" in row.message, row.is_unusual) == (True, True)
    assert 'name="confirmed"' in asked.content.decode()
    assert (asked.status_code, other.status_code, posted.status_code) == (422, 422, 302)
    assert on_hand(workshop.candle) == 33
