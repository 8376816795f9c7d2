"""A year of real orders through the product: the files imported as a person would, the question asked, the page opened.

    python -m bench.year

`bench/simulator.py` measures the replay alone. Here items, listings and order lines go through the imports, two sets of rules
are compared by the worker's own function, and the simulator's page is what shows the answer. `make bench` runs it in a
database of its own.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import django

from bench.data_sets import as_csv
from bench.database import ROOT, connect_as_owner, make_database
from bench.orders import COVER_DAYS, LATE_MINUTES, LEAD_DAYS, MARKET, SHOP, WHOLE, channel_of, rows_of_products

CHANNELS = {SHOP: "shop", MARKET: "marketplace"}
LAST_DAY, WEEKS = date(2010, 11, 30), 52
ROWS_PER_FILE = 15_000
"""Order lines of one file; a file holds whole days and is a little longer."""
ASSUMED = (
    "The data do not say which channel a line was sold on: invoices whose number ends in 0 to 6 are taken as the shop's, the "
    "others as the marketplace's. Nor do they say how stock came: it is ordered as said above."
)
COLUMNS = ("Invoice", "InvoiceDate", "StockCode", "Quantity")
Row = dict[str, str]


def files_of(rows: Iterator[Row], *, names: dict[str, str]) -> Iterator[bytes]:
    """The rows cut into files of whole days, with the channel that is assumed. Notes the name of every product by its code."""
    kept: list[Row] = []
    day = ""
    for row in rows:
        sku = row["StockCode"]
        names[sku] = row.get("Description") or names.get(sku) or sku
        if row["InvoiceDate"][:10] != day and len(kept) >= ROWS_PER_FILE:
            yield as_csv(kept)
            kept = []
        day = row["InvoiceDate"][:10]
        kept.append({**{column: row[column] for column in COLUMNS}, "Channel": CHANNELS[channel_of(row["Invoice"])]})
    if kept:
        yield as_csv(kept)


def measure_year(*, excerpt: bool = False) -> tuple[dict[str, Any], Any]:
    """Seconds of each step and what came out, with the simulation itself. Writes to the present database, which must be empty."""
    from channels_sync.models import Channel, ChannelDemand
    from channels_sync.operations.simulating import ask_simulation, claim_simulation, work_on_simulation
    from channels_sync.simulation import ProposedRule, Question
    from channels_sync.simulation.question import START_LEVEL

    channels = {
        number: Channel.objects.create(code=code, name=code.capitalize(), mode="shadow", base_url="http://127.0.0.1:9")
        for number, code in CHANNELS.items()
    }
    names: dict[str, str] = {}
    files = list(files_of(rows_of_products(excerpt=excerpt), names=names))
    began = time.perf_counter()
    _import("items", as_csv([{"SKU": sku, "Name": name, "Sellable": "yes"} for sku, name in names.items()]))
    listed = [{"Channel": code, "SKU on the channel": sku} for sku in names for code in CHANNELS.values()]
    _import("listings", as_csv(listed))
    known = time.perf_counter()
    lines = sum(_import("order_lines", content) for content in files)
    imported = time.perf_counter()
    question = Question(
        last_day=LAST_DAY,
        rules=(ProposedRule({"percent": Decimal(80), "buffer": Decimal(12)}, channel_id=channels[MARKET].pk),),
        weeks=WEEKS,
        lead_days=LEAD_DAYS,
        cover_days=COVER_DAYS,
        start=START_LEVEL,
        late={channels[number].pk: minutes for number, minutes in LATE_MINUTES.items()},
        assumed=ASSUMED,
    )
    ask_simulation(key=uuid4(), question=question, title="80 % and a buffer of 12 on the marketplace", actor=None)
    simulation = claim_simulation()
    assert simulation is not None
    work_on_simulation(simulation=simulation)
    answered = time.perf_counter()
    simulation.refresh_from_db()
    if simulation.result is None:
        sys.exit(f"The simulation has no answer: {simulation.problem}")
    sides = {side: simulation.result[side]["totals"] for side in ("present", "proposed")}
    return {
        "data": "Online Retail II, one year" if WHOLE.is_dir() and not excerpt else "excerpt of 20 products, one year",
        "assumed": ASSUMED,
        "items": len(names),
        "order_lines": lines,
        "item_days": ChannelDemand.objects.count(),
        "items_and_listings_s": round(known - began, 2),
        "order_lines_s": round(imported - known, 2),
        "simulation_s": round(answered - imported, 2),
        "rows": [
            {"rules": side, **{name: totals[name] for name in ("demanded", "sold", "lost", "oversold", "exposure")}}
            for side, totals in sides.items()
        ],
    }, simulation


def _import(kind: str, content: bytes) -> int:
    """The rows that were taken in; the others are what the import leaves out by itself, like returns."""
    from inventory.importing.running import Mode, kind_named, run_import

    report = run_import(kind=kind_named(kind), content=content, file_name=f"{kind}.csv", actor=None, mode=Mode.ALL)
    if not report.is_applied:
        sys.exit(f"The {kind} were refused: {report.problems[:3]}")
    return sum(count for outcome, count in report.counts().items() if outcome != "skipped")


def open_page(simulation: Any) -> float:
    """Seconds until the simulator's page of it is there, for somebody who may see everything."""
    from django.contrib.auth import get_user_model
    from django.test import Client
    from django.urls import reverse

    client = Client()
    client.force_login(get_user_model().objects.create_superuser("year"))
    began = time.perf_counter()
    answer = client.get(reverse("channels_sync:simulation", args=[simulation.pk]), headers={"host": "127.0.0.1"})
    seconds = time.perf_counter() - began
    if answer.status_code != 200:
        sys.exit(f"The page of the simulation answers {answer.status_code}.")
    return seconds


def show(found: dict[str, Any]) -> None:
    from bench.report import print_rows

    steps = "order_lines item_days items_and_listings_s order_lines_s simulation_s page_s"
    print_rows(f"A year of orders through the product: {found['data']}", [found], steps)
    print_rows("Two sets of rules", found["rows"])
    print(found["assumed"])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.year", description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "var" / "bench.json", help="where the results go")
    parser.add_argument("--database", default="backflush_bench_year", help="made for it, and dropped first")
    parser.add_argument("--excerpt", "--quick", action="store_true", help="twenty products only")
    options, _ = parser.parse_known_args()  # `make bench` hands on the arguments of its first part as well
    make_database(options.database)
    django.setup()
    from bench.report import machine, write

    found, simulation = measure_year(excerpt=options.excerpt)
    found["page_s"] = round(open_page(simulation), 2)
    with connect_as_owner() as admin:
        found["machine"] = machine(admin)
    write({"year_of_orders": found}, path=options.output)
    show(found)


if __name__ == "__main__":
    main()
