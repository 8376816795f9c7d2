"""What recording a completion over HTTP costs."""

from decimal import Decimal

import psycopg
import pytest

from production.operations.work_orders import open_work_order
from tests.factories import make_item, make_location, put_on_hand
from tests.production.factories import make_bom

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("names", ["codes", "ids"])
def test_a_completion_takes_ten_statements_for_any_number_of_lines(as_operator, names, django_assert_num_queries):
    """Token, key with the items and places of the body, stored answer, and the seven of the operation itself."""
    shelf, bench = make_location(code="SHELF"), make_location(code="BENCH")
    for lines in (1, 20):
        parts = [make_item() for _ in range(lines)]
        for part in parts:
            put_on_hand(part, bench, "9", value="9.00")
        product = make_item()
        make_bom(item=product, lines=[(part, "1") for part in parts])
        body = {"item": product.sku, "good": "1", "source_location": "BENCH", "output_location": "SHELF"}
        if names == "ids":
            body |= {"item": product.pk, "source_location": bench.pk, "output_location": shelf.pk}
        assert as_operator.post("completions/", body).status_code == 201  # makes the pool of the output

        # within a test each of two savepoints, with its release, stands for the one BEGIN and COMMIT
        with django_assert_num_queries(10 + 2):
            assert as_operator.post("completions/", body).status_code == 201


@pytest.mark.parametrize("with_order", [False, True])
def test_the_driver_remembers_every_statement_of_a_completion(as_operator, with_order, monkeypatch):
    """The driver forgets those of more than 4,096 characters or 50 parameters, and reads them anew each time."""
    bench = make_location(code="BENCH")
    part, product = make_item(), make_item()
    put_on_hand(part, bench, "9", value="9.00")
    make_bom(item=product, lines=[(part, "1")])
    body = {"good": "1", "source_location": "BENCH", "output_location": "BENCH"}
    if with_order:
        order = open_work_order(item=product, planned=Decimal(5), output_location=bench, actor=None)
    body |= {"work_order": order.number} if with_order else {"item": product.sku}
    forgotten = []
    real = psycopg._queries._query2pg_nocache
    monkeypatch.setattr(
        psycopg._queries, "_query2pg_nocache", lambda *given: (forgotten.append(given[0]), real(*given))[1]
    )

    assert as_operator.post("completions/", body).status_code == 201

    assert forgotten == []
