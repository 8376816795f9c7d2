"""`make bench`, third part: what one unit costs, rolled up over ten levels and 10,000 items, reading included.

A top product stands over ten levels that widen downwards; every made item takes two to four items of the level below it, so
that parts are shared. Some lines are phantoms, some have scrap, some versions operations and by-products; a tenth of the
bought parts has an average, the others a standard cost. The plain roll-up in fractions is measured in turns with the one in
whole numbers, and both must say the same.
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import django

from bench.database import ROOT, connect_as_owner, use_database

LEVELS = 10
SIZES = {"full": 10_000, "quick": 10_000, "tiny": 300}
ROUNDS = {"full": 15, "quick": 7, "tiny": 2}
COST_MS_MAX = 60.0


def load(*, items: int) -> int:
    """Write the structure and return the BOM of the top product."""
    from inventory.models import CostPool, Item
    from production.models import Bom, BomLine, BomOperation, BomOutput

    chance = random.Random(12)
    levels = _levels(items)
    made_items = items - len(levels[-1])
    facts = [
        Item(
            sku=f"COST-{n}",
            name=f"Cost {n}",
            stock_unit="pcs",
            kind="phantom" if 0 < n < made_items and n % 17 == 0 else "product",
            standard_cost=None if n < made_items else Decimal(chance.randrange(1, 10**6)).scaleb(-4),
        )
        for n in range(items)
    ]
    stored = Item.objects.bulk_create(facts, batch_size=2_000)
    CostPool.objects.bulk_create(
        (
            CostPool(item=item, quantity=3, value=Decimal(chance.randrange(1, 10**6)).scaleb(-2))
            for item in stored[made_items::10]
        ),
        batch_size=2_000,
    )
    boms = Bom.objects.bulk_create(
        (
            Bom(
                item=item,
                version=1,
                makes=chance.choice((1, 1, 1, 6, 10)),
                process_loss_percent=chance.choice((0, 0, 0, 5)),
            )
            for item in stored[:made_items]
        ),
        batch_size=2_000,
    )
    lines = []
    for upper, lower in pairwise(levels):
        waiting = list(lower)
        for place, number in enumerate(upper):
            # Every item of the level below is used at least once.
            share = waiting[place :: len(upper)]
            extra = chance.choices(lower, k=max(0, 2 - len(share)))
            lines += [
                BomLine(
                    bom=boms[number],
                    position=position,
                    component=stored[component],
                    quantity=Decimal(chance.randrange(1, 4_000)).scaleb(-chance.choice((0, 1, 3))),
                    scrap_percent=chance.choice((0, 0, 0, Decimal("2.5"))),
                )
                for position, component in enumerate(dict.fromkeys([*share, *extra]))
            ]
    BomLine.objects.bulk_create(lines, batch_size=2_000)
    BomOperation.objects.bulk_create(
        (BomOperation(bom=bom, name="Assembly", minutes=bom.pk % 9 + 1, rate_per_hour=42) for bom in boms[::2]),
        batch_size=2_000,
    )
    BomOutput.objects.bulk_create(
        (BomOutput(bom=bom, item=stored[-1], quantity=1, cost_share_percent=3) for bom in boms[::20]), batch_size=2_000
    )
    Bom.objects.filter(pk__gte=boms[0].pk).update(state="active", effective_from="2020-01-01")
    return boms[0].pk


def _levels(items: int) -> list[range]:
    """LEVELS ranges of numbers below the top one, each wider than the one above by the same factor."""
    low, high = 1.0, float(items)
    while high - low > 1e-6:
        middle = (low + high) / 2
        if sum(middle**level for level in range(LEVELS + 1)) > items:
            high = middle
        else:
            low = middle
    widths = [max(1, round(low**level)) for level in range(LEVELS)]
    starts = [sum(widths[:level]) for level in range(LEVELS + 1)]
    return [range(start, end) for start, end in zip(starts, [*starts[1:], items], strict=True)]


def measure(top: int, *, rounds: int) -> dict[str, Any]:
    """Milliseconds of both ways in turns, of the clock and of the processor of this process and its database backend."""
    from bench.recompute import _Clock, _own_backend
    from bench.report import rounded
    from production.models import Bom, BomLine
    from production.reads.cost_rollup import cost_book
    from production.reads.structures import load_structures
    from production.reads.whole_costs import load_sheet, whole_costs_of

    def plain() -> Fraction | None:
        return cost_book(load_structures(boms=[top])).of_bom(top).value

    def whole() -> Fraction | None:
        return whole_costs_of(boms=[top]).of_bom(top)

    ways: dict[str, Callable[[], Fraction | None]] = {"plain": plain, "whole": whole}
    backend = _own_backend()
    wall: dict[str, list[float]] = {name: [] for name in ways}
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    reading, answers = [], set()
    for number in range(rounds + 1):
        for name, way in ways.items():
            clock = _Clock(backend, with_process=True)
            with clock:
                answers.add(way())
            if number:  # the first round warms the caches
                wall[name].append(clock.seconds * 1000)
                cpu[name].append(clock.cpu * 1000)
        began = time.perf_counter()
        load_sheet(boms=[top])
        reading.append((time.perf_counter() - began) * 1000)
    return {
        "levels": LEVELS,
        "boms": Bom.objects.count(),
        "lines": BomLine.objects.count(),
        "is_same": len(answers) == 1 and None not in answers,
        "whole_ms": rounded(statistics.median(wall["whole"]), 1),
        "best_ms": rounded(min(wall["whole"]), 1),
        "reading_ms": rounded(statistics.median(reading), 1),
        "whole_cpu_ms": rounded(statistics.median(cpu["whole"]), 1),
        "plain_ms": rounded(statistics.median(wall["plain"]), 1),
        "plain_cpu_ms": rounded(statistics.median(cpu["plain"]), 1),
        "ratio": rounded(statistics.median(a / b for a, b in zip(wall["whole"], wall["plain"], strict=True)), 3),
    }


def run(plan: str, *, path: Path) -> dict[str, Any]:
    """Fill an empty database, measure, print, write. Returns the results."""
    from bench.report import machine, print_rows, print_table, write

    with connect_as_owner() as admin:
        top = load(items=SIZES[plan])
        admin.execute("VACUUM ANALYZE")
        rollup = measure(top, rounds=ROUNDS[plan])
        results: dict[str, Any] = {"machine": machine(admin), "rollup": {"items": SIZES[plan], **rollup}}
    results["targets"] = targets(results["rollup"])
    write({"costing": results}, path=path)
    print_rows("Cost of a product of ten levels", [results["rollup"]])
    words = {True: "reached", False: "MISSED"}
    rows = [[t["id"], t["what"], t["value"], words[t["reached"]]] for t in results["targets"]]
    print_table("Promised figures", ("", "figure", "now", ""), rows)
    print(f"\nLoad of the machine: {results['machine']['load']}")
    return results


def targets(rollup: dict[str, Any]) -> list[dict[str, Any]]:
    what = (
        f"unit cost over {LEVELS} levels and {rollup['items']:,} items, reading included, ms: at most {COST_MS_MAX:.0f}"
    )
    reached = rollup["is_same"] and rollup["whole_ms"] <= COST_MS_MAX
    return [{"id": "P12", "what": what, "value": rollup["whole_ms"], "reached": reached}]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.costing", description=__doc__)
    parser.add_argument(
        "--quick", action="store_const", dest="plan", const="quick", default="full", help="fewer rounds"
    )
    parser.add_argument("--plan", choices=tuple(SIZES), help="tiny only shows that it runs")
    parser.add_argument("--output", type=Path, default=ROOT / "var" / "bench.json", help="where the results go")
    parser.add_argument("--database", default="backflush_bench_costing", help="made for it, and dropped first")
    options, _ = parser.parse_known_args()  # the first part knows options that this one does not

    use_database(options.database, make=True)
    django.setup()
    run(options.plan, path=options.output)


if __name__ == "__main__":
    main()
