from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone

from inventory.models import LocationKind, Posting
from tests.factories import make_item, make_location, make_unit, on_hand, put_on_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger_stays_true")]
URL = "/stock/reported/"


@pytest.fixture
def partner():
    return make_location(code="3PL", kind=LocationKind.THIRD_PARTY, freshness_hours=24)


def send(client, place, lines, **fields):
    as_of = timezone.localtime().strftime("%Y-%m-%dT%H:%M:%S")
    data = {"key": str(uuid4()), "location": place.pk, "as_of": as_of, "lines": lines, **fields}
    return client.post(URL, data)


def test_lines_from_a_spreadsheet_become_one_adjustment(as_planner, partner):
    wax, jar = make_item(sku="WAX", unit="kg", step="0.1", tracking="lot"), make_item(sku="JAR")
    make_unit(item=jar, name="case", numerator="24")
    earlier = timezone.now() - timedelta(hours=1)
    put_on_hand(wax, partner, "5", lot="L1", effective_at=earlier)
    put_on_hand(jar, partner, "40", effective_at=earlier)

    answer = send(as_planner, partner, "WAX\t4.5\tL1\njar, 2 case\n\n", reference="R-1")

    assert answer.status_code == 302
    assert (on_hand(wax), on_hand(jar)) == (Decimal("4.5"), 48)
    assert Posting.objects.latest("pk").reference == "R-1"


def test_what_is_wrong_with_lines_is_told_by_line_and_nothing_is_posted(as_planner, partner):
    make_item(sku="WAX")

    answer = send(as_planner, partner, "WAX\nNOTHING 5\nWAX;x\nWAX;5;;strange")

    page = answer.content.decode()
    assert answer.status_code == 422
    for words in (
        "Line 1: WAX has no quantity",
        "Line 2: There is no item NOTHING",
        "Line 3: “x”",
        "Line 4: “strange”",
    ):
        assert words in page
    assert not Posting.objects.exists()


def test_what_a_report_changes_can_be_looked_at_first(as_planner, partner):
    item = make_item(sku="WAX")
    put_on_hand(item, partner, "5", effective_at=timezone.now() - timedelta(hours=1))

    page = send(as_planner, partner, "WAX 4", look="1")

    assert page.status_code == 200
    assert "</span> difference to the book would be posted" in page.content.decode()
    assert on_hand(item) == 5
    assert not Posting.objects.filter(kind="adjustment").exists()


def test_a_double_click_does_one_thing(as_planner, partner):
    item, key = make_item(sku="WAX"), str(uuid4())
    put_on_hand(item, partner, "5", effective_at=timezone.now() - timedelta(hours=1))
    as_of = timezone.localtime().strftime("%Y-%m-%dT%H:%M:%S")

    for _ in range(2):
        send(as_planner, partner, "WAX 4", key=key, as_of=as_of)

    assert Posting.objects.filter(kind="adjustment").count() == 1


def test_shows_how_old_the_figures_of_each_place_are(as_planner, partner):
    assert "never reported" in as_planner.get(URL).content.decode()


def test_offers_only_places_we_do_not_run(as_planner, partner):
    own = make_location(code="OWN")

    answer = send(as_planner, own, "")

    assert answer.status_code == 422
    assert "OWN" not in str(as_planner.get(URL).context["form"]["location"])


def test_needs_the_permission_to_adjust(as_operator):
    assert as_operator.get(URL).status_code == 403


def test_the_import_has_a_page(as_planner):
    assert as_planner.get(reverse("import_table", args=["external_stock"])).status_code == 200
