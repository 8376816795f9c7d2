"""`make bench-scale`: how completions, first pages and the check of the whole ledger grow with the book.

Two databases hold the same small shop; one of them also holds a large book of other items (bench.book). Completions and
pages are measured in turns in both.
"""

import argparse
import multiprocessing
import os
import time
from pathlib import Path
from typing import Any

import django

from bench.database import ROOT, connect_as_owner, make_database

LINES, ASSEMBLIES = 20, 24


def verify() -> tuple[float, list[str]]:
    """Seconds that checking every invariant takes, and what it found."""
    from inventory.invariants import INVARIANTS as OF_INVENTORY
    from production.invariants import INVARIANTS as OF_PRODUCTION

    began = time.perf_counter()
    findings = [f"{i.name}: {finding}" for i in (*OF_INVENTORY, *OF_PRODUCTION) for finding in i.find()]
    return time.perf_counter() - began, findings


def measure_in_turns(
    databases: dict[str, str], shops: dict[str, Any], *, rounds: int, seconds: float
) -> dict[str, Any]:
    """p50 of completions by one client in each database, the databases taking turns; the ratio is a median over rounds."""
    from django.db import connection

    from bench.clients import Clients
    from bench.measuring import Series, summarise

    teams = {}
    for name, database in databases.items():
        connection.close()
        connection.settings_dict["NAME"] = database
        teams[name] = Clients("ours", shops[name], clients=1)
    series = {name: Series() for name in databases}
    for team in teams.values():
        team.work(seconds=20, completions_max=2 * ASSEMBLIES)  # the first touch of cold pages is not the question here
    for number in range(rounds):
        for name in teams if number % 2 else reversed(teams):
            works = teams[name].work(seconds=seconds)
            wall = max(work.ended for work in works) - min(work.began for work in works)
            series[name].rounds.append(summarise(works, wall=wall, wal=0))
    for team in teams.values():
        team.close()
    return {
        "small_p50_ms": series["small"].median("p50_ms"),
        "big_p50_ms": series["big"].median("p50_ms"),
        "ratio": series["big"].ratio_to(series["small"], "p50_ms"),
        "cpu_ratio": series["big"].ratio_to(series["small"], "cpu_ms"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--balances", type=int, default=1_000_000)
    parser.add_argument("--movements", type=int, default=10_000_000)
    parser.add_argument("--close", choices=("month", "year", "none"), default="month", help="periods that are closed")
    parser.add_argument("--page-rounds", type=int, default=3)
    parser.add_argument("--no-completions", action="store_true", help="measure pages alone")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each database in each round")
    parser.add_argument("--output", type=Path, default=ROOT / "var" / "bench.json")
    options = parser.parse_args()
    multiprocessing.set_start_method("fork")

    urls = {name: os.environ.get(name) for name in ("DATABASE_URL", "DATABASE_OWNER_URL")}
    databases = {"small": "backflush_scale_small", "big": "backflush_scale_big"}
    shops: dict[str, Any] = {}
    seconds_verifying = 0.0
    findings: list[str] = []
    skus: dict[str, str] = {}
    book: Any = None
    for name, database in databases.items():
        os.environ.update({key: value for key, value in urls.items() if value})
        make_database(database)
        django.setup()
        from django.db import connection

        from bench.book import load_book
        from bench.dataset import make_shop

        connection.close()
        connection.settings_dict["NAME"] = database
        shops[name] = make_shop(name="SHOP", lines=LINES, lots=1, assemblies=ASSEMBLIES)
        if name == "big":
            book = load_book(
                items=options.items,
                balances=options.balances,
                movements=options.movements,
                place_id=shops[name].location_id,
                close=options.close,
            )
            skus[name] = book.sku
            seconds_verifying, findings = verify()
        else:
            skus[name] = "SHOP-C0-0"

    from bench.pages import measure_pages, table
    from bench.report import machine, print_table, rounded, write

    timings = measure_pages(databases, skus, rounds=options.page_rounds)
    rows = table(timings)
    growth: dict[str, Any] = {"small_p50_ms": None, "big_p50_ms": None, "ratio": None, "cpu_ratio": None}
    if not options.no_completions:
        growth = measure_in_turns(databases, shops, rounds=options.rounds, seconds=options.seconds)
    with connect_as_owner() as admin:
        result = {
            "machine": machine(admin),
            "items": options.items,
            "balances": options.balances,
            "movements": options.movements,
            "periods": book.periods,
            "load_s": rounded(book.seconds_loading, 1),
            "close_s": rounded(book.seconds_closing, 1),
            "verify_s": rounded(seconds_verifying, 2),
            "verify_findings": findings,
            "pages": {
                name: {"small_ms": rounded(small, 1), "big_ms": rounded(big, 1), "ratio": rounded(ratio, 2)}
                for name, small, big, ratio, _ in rows
            },
            "completion": {key: rounded(value, 3) for key, value in growth.items()},
        }
    write({"scale": result}, path=options.output)
    print_table(
        f"A book of {options.movements:,} movements, {options.balances:,} balances, {options.items:,} items",
        ("what", "figure", "promised"),
        [
            ["completion of 20 lines, p50 in the small book, ms", growth["small_p50_ms"], ""],
            ["the same in the big book, ms", growth["big_p50_ms"], ""],
            ["big of small (P8)", growth["ratio"], "at most 1.6 at 10,000,000 movements"],
            ["every invariant checked, s (F14)", seconds_verifying, "at most 5 at 10,000,000 movements"],
            ["what the check found", len(findings), "0"],
            ["loading, s", book.seconds_loading, ""],
            [f"closing {book.periods} periods, s", book.seconds_closing, ""],
        ],
    )
    print_table("First pages, ms", ("page", "small", "big", "big of small", "at most 5 times"), rows)


if __name__ == "__main__":
    main()
