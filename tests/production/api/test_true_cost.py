"""What a completion truly cost, over HTTP."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inventory.models import ItemKind
from tests.factories import make_item, make_location, put_on_hand
from tests.production.factories import complete, make_bom

pytestmark = pytest.mark.usefixtures("ledger_stays_true")


def made(parts=1, *, name="PART"):
    """Four good and one scrapped of five of each part at 2.00; of the first one more was used."""
    place = make_location()
    components = [make_item(sku=f"{name}-{number}") for number in range(parts)]
    item = make_item(kind=ItemKind.PRODUCT)
    make_bom(item=item, lines=[(one, "1") for one in components], deviation_policy="reason")
    for one in components:
        put_on_hand(one, place, "100", value="200.00")
    return complete(
        item, "4", into=place, scrapped="1", scrap_reason="cracked", actuals=[(components[0], "6", "dropped")]
    ).completion


def test_parts_causes_and_lines_with_exact_figures(db, as_operator):
    completion = made()

    answer = as_operator.get(f"completions/{completion.pk}/true-cost/")

    assert answer.status_code == 200
    assert answer.json() == {
        "parts": [{"name": "Materials, landed", "planned": "10", "actual": "12", "per_unit": "3"}],
        "planned": "10",
        "total": "12",
        "per_unit": "3",
        "scrapped": "2.4",
        "spoiled": "0",
        "causes": [{"cause": "No cause given", "amount": "2"}],
        "lines": [{"component": "PART-0", "value": "12", "planned": "10", "variance": "2", "cause": "No cause given"}],
    }


def test_costs_the_same_number_of_queries_for_many_lines(db, as_operator):
    counts = []
    for parts in (1, 20):
        completion = made(parts, name=f"OF-{parts}")
        with CaptureQueriesContext(connection) as queries:
            as_operator.get(f"completions/{completion.pk}/true-cost/")
        counts.append(len(queries))

    assert counts[0] == counts[1]
