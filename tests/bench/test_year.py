"""A year of orders from the files to the simulator's page, with the excerpt of twenty products."""

from decimal import Decimal
from itertools import pairwise

import pytest
from django.urls import reverse

from bench.orders import order_lines, rows_of_products
from bench.year import ASSUMED, WEEKS, files_of, measure_year, open_page
from channels_sync.models import ChannelDemand

pytestmark = pytest.mark.django_db


def test_the_page_compares_two_sets_of_rules_over_a_year_and_says_what_is_assumed(client, administrator):
    found, simulation = measure_year(excerpt=True)

    present, proposed = found["rows"]
    assert found["order_lines"] == len(list(order_lines(excerpt=True)))
    assert Decimal(present["sold"]) > Decimal(proposed["sold"])
    assert Decimal(present["oversold"]) > Decimal(proposed["oversold"])
    assert (present["exposure"], present["demanded"]) == ("2", proposed["demanded"])

    assert open_page(simulation) > 0
    client.force_login(administrator)
    page = client.get(reverse("channels_sync:simulation", args=[simulation.pk])).content.decode()
    assert ASSUMED.replace("'", "&#x27;") in page
    assert "up to 21 days; it arrives 7 days later" in page
    assert page.count('<rect data-side="proposed"') >= 2 * WEEKS  # a bar each week for what is sold and what is lost


def test_files_hold_whole_days_and_lose_no_line(monkeypatch):
    monkeypatch.setattr("bench.year.ROWS_PER_FILE", 100)
    names = {}
    rows = list(rows_of_products(excerpt=True))

    files = [content.decode().splitlines()[1:] for content in files_of(iter(rows), names=names)]

    assert sum(map(len, files)) == len(rows)
    assert len(files) > 10
    assert len(names) == 20
    days = [{line.split(",")[1][:10] for line in lines} for lines in files]
    assert all(not one & other for one, other in pairwise(days))


def test_it_adds_up_what_a_channel_sold_on_a_day():
    measure_year(excerpt=True)

    assert sum(ChannelDemand.objects.values_list("quantity", flat=True)) == sum(
        line.units for line in order_lines(excerpt=True)
    )
