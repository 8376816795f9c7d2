"""What recording a completion over HTTP costs."""

import pytest

from tests.factories import make_item, make_location, put_on_hand
from tests.production.factories import make_bom

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("names", ["codes", "ids"])
def test_a_completion_takes_thirteen_statements_for_any_number_of_lines(as_operator, names, django_assert_num_queries):
    """Token, key, items and places of the body, stored answer, and the nine of the operation itself."""
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
        with django_assert_num_queries(13 + 2):
            assert as_operator.post("completions/", body).status_code == 201
