"""`make bench-scale`: how completions, first pages and the check of the whole ledger grow with the book.

Two databases hold the same small shop that completions are measured on; beside it one holds the demo company, the other a
large book of other items (bench.book). Completions and pages are measured in turns in both.
"""

import argparse
import io
import multiprocessing
import os
import time
from pathlib import Path
from typing import Any

import django

from bench.database import ROOT, connect_as_owner, use_database

LINES, ASSEMBLIES = 20, 24
SIZES = {"full": (100_000, 1_000_000, 10_000_000), "quick": (2_000, 20_000, 200_000), "tiny": (100, 200, 2_000)}
"""Items, balances and movements."""
PAGE_KEYS = ("demo_cpu_ms", "big_cpu_ms", "cpu_ratio", "demo_ms", "big_ms", "ratio")
COMPLETION_RATIO_MAX, VERIFY_SECONDS_MAX = 1.6, 5.0


def timed_checks() -> tuple[dict[str, float], list[str]]:
    """Seconds of each invariant as the nightly check takes them, and what all of them found."""
    from config.integrity.checking import check_facts

    found = check_facts().findings
    seconds = {one.invariant.name: one.milliseconds / 1000 for one in found}
    return seconds, [f"{one.invariant.name}: {finding}" for one in found for finding in one.findings]


def bare_sum() -> float:
    """Seconds of adding up the ledger by cell and nothing else: what the machine can do at the moment."""
    from django.db import connection, transaction

    from config.integrity.checking import WORK_MEMORY

    began = time.perf_counter()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('work_mem', %s, true)", [WORK_MEMORY])
        cursor.execute(
            "SELECT count(*) FROM (SELECT sum(quantity) FROM inventory_movement"
            " GROUP BY item_id, location_id, lot_id, status) cells"
        )
        cursor.fetchall()
    return time.perf_counter() - began


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


def fill(name: str, options: argparse.Namespace) -> tuple[Any, Any]:
    """The shop in the database at hand, and beside it the demo company (small) or the large book (big), which is returned."""
    from django.core.management import call_command

    from bench.book import load_book
    from bench.dataset import make_shop
    from inventory.operations.ranking_counts import rank_items

    if name == "small":
        call_command("load_demo", verbosity=0, stdout=io.StringIO())
        return make_shop(name="SHOP", lines=LINES, lots=1, assemblies=ASSEMBLIES), None
    shop = make_shop(name="SHOP", lines=LINES, lots=1, assemblies=ASSEMBLIES)
    items, balances, movements = options.size
    book = load_book(
        items=items, balances=balances, movements=movements, place_id=shop.location_id, close=options.close
    )
    rank_items()  # as every night
    return shop, book


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="full", help="tiny only shows that it runs")
    parser.add_argument("--quick", action="store_const", dest="size", const="quick", help="the same as --size quick")
    parser.add_argument("--items", type=int)
    parser.add_argument("--balances", type=int)
    parser.add_argument("--movements", type=int)
    parser.add_argument("--close", choices=("month", "year", "none"), default="month", help="periods that are closed")
    parser.add_argument("--page-rounds", type=int, default=3)
    parser.add_argument("--no-completions", action="store_true", help="measure pages alone")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each database in each round")
    parser.add_argument("--keep", action="store_true", help="measure in the databases of the last run, as they are")
    parser.add_argument("--output", type=Path, default=ROOT / "var" / "bench.json")
    options = parser.parse_args()
    asked = (options.items, options.balances, options.movements)
    options.size = tuple(own or usual for own, usual in zip(asked, SIZES[options.size], strict=True))
    return options


def main() -> None:
    options = read_options()
    multiprocessing.set_start_method("fork")
    urls = {name: os.environ.get(name) for name in ("DATABASE_URL", "DATABASE_OWNER_URL")}
    databases = {"small": "backflush_scale_small", "big": "backflush_scale_big"}
    shops: dict[str, Any] = {}
    book: Any = None
    for name, database in databases.items():
        os.environ.update({key: value for key, value in urls.items() if value})
        use_database(database, make=not options.keep)
        django.setup()
        from django.db import connection

        connection.close()
        connection.settings_dict["NAME"] = database
        if options.keep:
            from bench.dataset import shop_of

            shops[name] = shop_of("SHOP", lines=LINES, lots=1)
        else:
            shops[name], book = fill(name, options)
    floor = bare_sum()
    checks, findings = timed_checks()  # of the last one, the big one
    floor = (floor + bare_sum()) / 2

    from bench.pages import measure_pages, table

    timings = measure_pages(databases, rounds=options.page_rounds)
    growth: dict[str, Any] = {"small_p50_ms": None, "big_p50_ms": None, "ratio": None, "cpu_ratio": None}
    if not options.no_completions:
        growth = measure_in_turns(databases, shops, rounds=options.rounds, seconds=options.seconds)
    report(options, book, checks=checks, floor=floor, findings=findings, rows=table(timings), growth=growth)


def report(
    options: argparse.Namespace,
    book: Any,
    *,
    checks: dict[str, float],
    floor: float,
    findings: list[str],
    rows: list[list[Any]],
    growth: dict[str, Any],
) -> None:
    from bench.pages import HEADER
    from bench.report import machine, print_table, rounded, write

    items, balances, movements = options.size
    verifying = sum(checks.values())
    with connect_as_owner() as admin:
        result = {
            "machine": machine(admin),
            "items": items,
            "balances": balances,
            "movements": movements,
            "built": None if book is None else {key: rounded(value, 1) for key, value in seconds_of(book).items()},
            "verify_s": rounded(verifying, 2),
            "bare_sum_s": rounded(floor, 2),
            "checks_s": {name: rounded(seconds, 2) for name, seconds in checks.items()},
            "verify_findings": findings,
            "pages": {
                row[0]: dict(zip(PAGE_KEYS, (rounded(figure, 2) for figure in row[1:7]), strict=True)) for row in rows
            },
            "completion": {key: rounded(value, 3) for key, value in growth.items()},
        }
    write({"scale": result}, path=options.output)
    slowest = sorted(checks.items(), key=lambda one: -one[1])[:6]
    print_table("Slowest facts checked, s", ("fact", "seconds"), [list(one) for one in slowest])
    print_table("First pages, ms", HEADER, rows)
    print_table(
        f"Promised figures: a book of {movements:,} movements, {balances:,} balances, {items:,} items",
        ("", "figure", "now", ""),
        [
            [
                "P8",
                "completion of 20 lines, big of small, p50: at most 1.6",
                growth["ratio"],
                _word(growth["ratio"], COMPLETION_RATIO_MAX),
            ],
            ["", "the same in the small book, ms", growth["small_p50_ms"], ""],
            ["", "the same in the big book, ms", growth["big_p50_ms"], ""],
            ["F14", "every invariant checked, s: at most 5", verifying, _word(verifying, VERIFY_SECONDS_MAX)],
            ["", "adding up the ledger by cell and nothing else, s", floor, ""],
            ["F14", "findings: 0", len(findings), _word(len(findings), 0)],
            ["", "first pages over 5 times the demo's: 0", *_missed(rows)],
            *(["", f"{name}, s", seconds, ""] for name, seconds in (seconds_of(book) if book else {}).items()),
        ],
    )
    print(f"\nLoad of the machine: {result['machine']['load']}. Results: {options.output}")


def seconds_of(book: Any) -> dict[str, float]:
    return {
        "loading by COPY": book.seconds_loading,
        "indexes, keys and vacuum": book.seconds_indexing,
        f"closing {book.periods} periods": book.seconds_closing,
    }


def _word(value: float | None, limit: float) -> str:
    return "not measured" if value is None else "reached" if value <= limit else "MISSED"


def _missed(rows: list[list[Any]]) -> tuple[int, str]:
    count = sum(1 for row in rows if row[-1] == "MISSED")
    return count, _word(count, 0)


if __name__ == "__main__":
    main()
