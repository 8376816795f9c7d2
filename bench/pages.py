"""First pages through Django's test client in the demo company and in a large book, in turns."""

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from bench.clients import cpu_seconds

REPEATS = 3
RATIO_MAX = 5.0
"""What is promised: a first page takes at most so many times as long in the large book as in the demo company."""
YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Page:
    name: str
    path: str
    is_promised: bool = True
    """Others come apart (sums, reports over everything) or are no first pages, and are only printed."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds of one page: as a person waits, and of both processors' work, which others on the machine hardly change."""

    wall: float
    cpu: float


@dataclass(slots=True)
class Timing:
    """What one page cost, by round."""

    page: Page
    small: list[Cost] = field(default_factory=list)
    big: list[Cost] = field(default_factory=list)

    def median(self, book: str, name: str) -> float:
        return float(statistics.median(getattr(cost, name) for cost in getattr(self, book)))

    def ratio(self, name: str) -> float:
        pairs = zip(self.big, self.small, strict=True)
        return float(statistics.median(getattr(big, name) / getattr(small, name) for big, small in pairs))


def pages() -> list[Page]:
    """The pages that are opened in the database at hand.

    A year back means the middle of the book where it is younger than that, as the demo company's is: so both have something
    to show. The busy item is the one that moved most often, the quiet one moved as often as most.
    """
    from django.utils import timezone

    now = timezone.localtime()
    began = timezone.localtime(_first_moment())
    back = now - YEAR if began < now - YEAR else began + (now - began) / 2
    past = f"{back:%Y-%m-%dT%H:%M}"
    day = f"{back:%Y-%m-%d}"
    busy, quiet = (f"/stock/items/{pk}/" for pk in _busy_and_quiet())
    return [
        Page("stock board", "/stock/"),
        Page("stock board, by place", "/stock/?rows=places"),
        Page("stock board, by lot", "/stock/?rows=lots"),
        Page("busy item", busy),
        Page("quiet item", quiet),
        Page("busy item, ledger", f"{busy}?tab=ledger"),
        Page("quiet item, ledger", f"{quiet}?tab=ledger"),
        Page("busy item, cost", f"{busy}?tab=cost"),
        Page("busy item, a year back", f"{busy}?at={past}"),
        Page("quiet item, a year back", f"{quiet}?at={past}"),
        Page("ledger", "/stock/ledger/"),
        Page("valuation", "/stock/valuation/"),
        Page("valuation, a year back", f"/stock/valuation/?at={past}"),
        Page("valuation, as then believed", f"/stock/valuation/?at={past}&basis=known_then"),
        Page("what changed in a year", f"/stock/changes/?first={past}"),
        Page("lots", "/stock/lots/"),
        Page("closed periods", "/stock/periods/"),
        Page("purchase orders", "/buy/orders/"),
        Page("late costs", "/buy/late-costs/"),
        Page("transfers", "/stock/transfers/"),
        Page("counts", "/stock/counts/"),
        Page("what to count", "/stock/counts/plan/"),
        Page("sums of valuation", "/stock/valuation/totals/", False),
        Page("sums, a year back", f"/stock/valuation/totals/?at={past}", False),
        Page("sums, as then believed", f"/stock/valuation/totals/?at={past}&basis=known_then", False),
        Page("sums by place", "/stock/valuation/totals/?by=place", False),
        Page("unknown costs, a year back", f"/stock/valuation/unknown/?at={past}", False),
        Page("causes of a year", f"/stock/changes/causes/?first={past}", False),
        Page("causes of a year, as believed", f"/stock/changes/causes/?first={past}&basis=known_then", False),
        Page("ledger of one kind, a rare one", "/stock/ledger/?kind=scrap", False),
        Page("ledger of one day a year back", f"/stock/ledger/?since={day}&until={day}", False),
        Page("ledger until a year back", f"/stock/ledger/?until={day}", False),
        Page("board, search", "/stock/?q=ITEM+1", False),
        Page("board, by value", "/stock/?sort=-value", False),
        Page("how much is to count", "/stock/counts/plan/totals/", False),
        Page("close a period", "/stock/periods/close/", False),
    ]


def _first_moment() -> datetime:
    """When the first thing happened, other than in the shop that completions are measured on."""
    from inventory.models import Posting

    first = Posting.objects.exclude(reference="BENCH").order_by("pk").values_list("effective_at", flat=True).first()
    assert first is not None
    return first


def _busy_and_quiet() -> tuple[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT m.item_id FROM inventory_movement m JOIN inventory_item i ON i.id = m.item_id"
            " WHERE i.sku NOT LIKE 'SHOP-%%' GROUP BY 1 ORDER BY count(*), 1"
        )
        items = [row[0] for row in cursor.fetchall()]
    return items[-1], items[len(items) // 2]


def measure_pages(databases: Mapping[str, str], *, rounds: int) -> dict[str, Timing]:
    """Each page in each database, REPEATS times after one that is not counted, for some rounds; medians of each."""
    timings: dict[str, Timing] = {}
    clients: dict[str, Any] = {}
    asked: dict[str, list[Page]] = {}
    for number in range(rounds):
        order = ["small", "big"] if number % 2 else ["big", "small"]
        for name in order:
            connection.close()
            connection.settings_dict["NAME"] = databases[name]
            client = clients.get(name) or clients.setdefault(name, _client())
            for page in asked.get(name) or asked.setdefault(name, pages()):
                timing = timings.setdefault(page.name, Timing(page))
                getattr(timing, name).append(_cost(client, page))
    return timings


HEADER = ("page", "demo, CPU", "big, CPU", "big of demo", "demo, wall", "big, wall", "big of demo", "at most 5 times")


def table(timings: Mapping[str, Timing]) -> list[list[Any]]:
    """One row per page: milliseconds in both books, how they compare, and what is promised, judged by CPU."""
    rows: list[list[Any]] = []
    for timing in timings.values():
        figures = [
            figure
            for name in ("cpu", "wall")
            for figure in (timing.median("small", name), timing.median("big", name), timing.ratio(name))
        ]
        promise = "" if not timing.page.is_promised else "reached" if figures[2] <= RATIO_MAX else "MISSED"
        rows.append([timing.page.name, *figures, promise])
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


def _cost(client: Any, page: Page) -> Cost:
    """Medians over REPEATS after one that is not counted. The database works in one process, so that its CPU can be read."""
    with connection.cursor() as cursor:
        cursor.execute("SET max_parallel_workers_per_gather = 0")
        cursor.execute("SELECT pg_backend_pid()")
        backend = cursor.fetchone()[0]
    found = []
    for repeat in range(REPEATS + 1):
        began, worked = time.perf_counter(), _cpu(backend)
        answer = client.get(page.path)
        if answer.streaming:
            b"".join(answer.streaming_content)
        assert answer.status_code == 200, f"{page.path}: {answer.status_code}"
        if repeat:
            found.append(Cost((time.perf_counter() - began) * 1000, (_cpu(backend) - worked) * 1000))
    return Cost(*(statistics.median(getattr(cost, name) for cost in found) for name in ("wall", "cpu")))


def _cpu(backend: int) -> float:
    """Seconds this process and its database backend worked; of this process alone where the backend runs elsewhere."""
    return time.process_time() + (cpu_seconds([backend]) or 0.0)
