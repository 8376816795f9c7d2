"""First pages through Django's test client in a small and a large book, in turns."""

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import connection

REPEATS = 3
RATIO_MAX = 5.0
"""What is promised: a first page takes at most so many times as long in the large book."""


@dataclass(frozen=True, slots=True)
class Page:
    name: str
    path: str
    is_promised: bool = True
    """Others come apart (sums, reports over everything) and are only printed."""


@dataclass(slots=True)
class Timing:
    """Milliseconds of one page, by round."""

    page: Page
    small: list[float] = field(default_factory=list)
    big: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        return statistics.median(b / s for b, s in zip(self.big, self.small, strict=True))


def pages(sku: str) -> list[Page]:
    """The pages that are opened; `sku` is an item of the book at hand."""
    from django.utils import timezone

    from inventory.models import Item

    now = timezone.localtime()
    past = f"{now - timedelta(days=18 * 30):%Y-%m-%dT%H:%M}"
    day = f"{now - timedelta(days=18 * 30):%Y-%m-%d}"
    item = f"/stock/items/{Item.objects.get(sku=sku).pk}/"
    return [
        Page("stock board", "/stock/"),
        Page("item page", item),
        Page("item page, ledger", f"{item}?tab=ledger"),
        Page("item page, cost", f"{item}?tab=cost"),
        Page("item page, 18 months ago", f"{item}?at={past}"),
        Page("ledger", "/stock/ledger/"),
        Page("valuation", "/stock/valuation/"),
        Page("valuation, 18 months ago", f"/stock/valuation/?at={past}"),
        Page("valuation, as then believed", f"/stock/valuation/?at={past}&basis=known_then"),
        Page("closed periods", "/stock/periods/"),
        Page("ledger of one kind, a rare one", "/stock/ledger/?kind=scrap", False),
        Page("ledger of one day long ago", f"/stock/ledger/?since={day}&until={day}", False),
        Page("ledger until long ago", f"/stock/ledger/?until={day}", False),
        Page("board, search", "/stock/?q=ITEM+1", False),
        Page("board, by value", "/stock/?sort=-value", False),
        Page("sums of valuation", "/stock/valuation/totals/", False),
        Page("sums, 18 months ago", f"/stock/valuation/totals/?at={past}", False),
        Page("sums, as then believed", f"/stock/valuation/totals/?at={past}&basis=known_then", False),
        Page("sums by place", "/stock/valuation/totals/?by=place", False),
        Page("what changed in a year", f"/stock/changes/?first={past}", False),
        Page("what changed of an item", f"/stock/changes/?first={past}&item={sku}", False),
        Page("close a period", "/stock/periods/close/", False),
    ]


def measure_pages(databases: Mapping[str, str], skus: Mapping[str, str], *, rounds: int) -> dict[str, Timing]:
    """Each page in each database, REPEATS times after one that is not counted, for some rounds; medians of each."""
    timings: dict[str, Timing] = {}
    clients: dict[str, Any] = {}
    for number in range(rounds):
        order = ["small", "big"] if number % 2 else ["big", "small"]
        for name in order:
            connection.close()
            connection.settings_dict["NAME"] = databases[name]
            client = clients.get(name) or clients.setdefault(name, _client())
            for page in pages(skus[name]):
                timing = timings.setdefault(page.name, Timing(page))
                getattr(timing, name).append(_median_ms(client, page))
    return timings


def table(timings: Mapping[str, Timing]) -> list[list[Any]]:
    """One row per page: milliseconds in both books, how they compare, and what is promised."""
    rows: list[list[Any]] = []
    for timing in timings.values():
        promise = "" if not timing.page.is_promised else "reached" if timing.ratio <= RATIO_MAX else "MISSED"
        rows.append(
            [timing.page.name, statistics.median(timing.small), statistics.median(timing.big), timing.ratio, promise]
        )
    return rows


def _client() -> Any:
    from django.contrib.auth.models import User
    from django.test import Client

    user, made = User.objects.get_or_create(username="bench-pages")
    if made:
        user.is_superuser = user.is_staff = True
        user.set_unusable_password()
        user.save()
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    return client


def _median_ms(client: Any, page: Page) -> float:
    found = []
    for repeat in range(REPEATS + 1):
        began = time.perf_counter()
        answer = client.get(page.path)
        if answer.streaming:
            b"".join(answer.streaming_content)
        assert answer.status_code == 200, f"{page.path}: {answer.status_code}"
        if repeat:
            found.append((time.perf_counter() - began) * 1000)
    return statistics.median(found)
