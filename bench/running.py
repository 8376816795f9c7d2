"""What one run of the bench does, in which order, and which figures are promised."""

import gc
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.database import Connection, allow_reading_wal, can_count_statements, connect_as_owner, run_script
from bench.dataset import Shop, add_emptied_lots, make_shop
from bench.measuring import count_statements, measure
from bench.outbox import PLANS as OUTBOX_PLANS
from bench.outbox import OutboxPlan, measure_outbox
from bench.report import figures, machine, rounded, show, write
from bench.rollup import measure_rollups
from bench.simulator import measure_simulator
from bench.web import serve
from inventory.invariants import INVARIANTS as OF_INVENTORY
from production.invariants import INVARIANTS as OF_PRODUCTION

ASSEMBLIES_EACH = {5: 40, 20: 24, 100: 8}
"""Assemblies of each client by lines; a pass over three lots does each once."""
CLIENTS_MAX = 4
SIMULATED_LINES_MIN = 100_000
"""An excerpt is quick anyway and proves nothing."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run measures and for how long."""

    lines: Sequence[int]
    lots: Sequence[int]
    clients: Sequence[int]
    rounds: int
    seconds: float  # of each driver in each round
    assemblies_each: int | None = None
    nodes: int = 10_000  # items of the product whose cost is rolled up
    levels: int = 10
    emptied_lots: int = 5_000  # of one component, used up

    def assemblies(self, lines: int) -> int:
        return CLIENTS_MAX * (self.assemblies_each or ASSEMBLIES_EACH.get(lines, 10))


FULL = Plan(lines=(5, 20, 100), lots=(1, 3), clients=(1, 4), rounds=5, seconds=1.2)
QUICK = Plan(lines=(20, 100), lots=(1, 3), clients=(1, 4), rounds=3, seconds=0.3, assemblies_each=6)
TINY = Plan(
    lines=(2,),
    lots=(1, 3),
    clients=(2,),
    rounds=1,
    seconds=0.05,
    assemblies_each=1,
    nodes=40,
    levels=4,
    emptied_lots=50,
)
PLANS = {"full": FULL, "quick": QUICK, "tiny": TINY}


@dataclass(slots=True)
class Bench:
    """One run: the database is made, every shop is filled before anything is measured."""

    plan: Plan
    admin: Connection
    has_wal: bool
    counts_statements: bool

    def fill(self) -> dict[tuple[int, int], Shop]:
        plan = self.plan
        shops = {
            (lines, lots): make_shop(name=f"N{lines}L{lots}", lines=lines, lots=lots, assemblies=plan.assemblies(lines))
            for lines in plan.lines
            for lots in plan.lots
        }
        run_script(self.admin, "floor.sql")
        self.admin.execute("VACUUM ANALYZE")
        return shops

    def completions(self, shops: dict[tuple[int, int], Shop]) -> list[dict[str, Any]]:
        plan = self.plan
        role = urlsplit(os.environ["DATABASE_URL"]).username or ""
        found = []
        for (lines, lots), shop in shops.items():
            statements = None
            if self.counts_statements:
                statements = rounded(count_statements(admin=self.admin, shop=shop, driver="ours", role=role))
            for clients in plan.clients:
                series = measure(
                    admin=self.admin,
                    shop=shop,
                    drivers=("ours", "floor"),
                    clients=clients,
                    rounds=plan.rounds,
                    seconds=plan.seconds,
                    has_wal=self.has_wal,
                )
                key = {"lines": lines, "lots": lots, "clients": clients}
                found.append({**key, **figures(series["ours"], series["floor"]), "statements": statements})
                _print_one(found[-1])
        return found

    def hot(self, lines: int) -> dict[str, Any]:
        """All clients draw on one shared component, whose rows come first in the lock order."""
        shop = make_shop(name="HOT", lines=lines, lots=1, assemblies=self.plan.assemblies(lines), hot=1)
        self.admin.execute("VACUUM ANALYZE")
        before = self._deadlocks()
        series = measure(
            admin=self.admin,
            shop=shop,
            drivers=("ours", "floor"),
            clients=max(self.plan.clients),
            rounds=self.plan.rounds,
            seconds=self.plan.seconds,
            has_wal=self.has_wal,
        )
        time.sleep(0.5)  # the database publishes its counters with a delay
        found = figures(series["ours"], series["floor"])
        return {"lines": lines, "clients": max(self.plan.clients), **found, "deadlocks": self._deadlocks() - before}

    def emptied(self, lines: int) -> dict[str, Any]:
        """One client, a component with one lot, and the same component once it has a past of lots that are used up."""
        shop = make_shop(name="PAST", lines=lines, lots=1, assemblies=self.plan.assemblies(lines), hot=1)
        found: dict[str, Any] = {"lines": lines, "lots": self.plan.emptied_lots}
        for when in ("before", "after"):
            if when == "after":
                add_emptied_lots(shop, lots=self.plan.emptied_lots)
            self.admin.execute("VACUUM ANALYZE")
            series = measure(
                admin=self.admin,
                shop=shop,
                drivers=("ours", "floor"),
                clients=1,
                rounds=self.plan.rounds,
                seconds=self.plan.seconds,
                has_wal=self.has_wal,
            )
            for name in ("p50_ms", "cpu_ms", "wal_bytes"):
                found[f"{name}_{when}"] = rounded(series["ours"].median(name), 2)
            found[f"ratio_{when}"] = rounded(series["ours"].ratio_to(series["floor"], "per_second"), 3)
        return found

    def _deadlocks(self) -> int:
        row = self.admin.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").fetchone()
        assert row is not None
        return int(row[0])

    def minimal(self, shop: Shop) -> list[dict[str, Any]]:
        """The floor on the least schema, beside the floor on our tables. Printed, not judged."""
        run_script(self.admin, "minimal.sql")
        self.admin.execute("SELECT minimal.copy_shop(%s)", (shop.name,))
        role = urlsplit(os.environ["DATABASE_URL"]).username
        self.admin.execute(f'GRANT USAGE ON SCHEMA minimal TO "{role}"')
        self.admin.execute("VACUUM ANALYZE")
        found = []
        for clients in self.plan.clients:
            series = measure(
                admin=self.admin,
                shop=shop,
                drivers=("floor", "floor_minimal"),
                clients=clients,
                rounds=self.plan.rounds,
                seconds=self.plan.seconds,
                has_wal=self.has_wal,
            )
            own, least = series["floor"], series["floor_minimal"]
            found.append(
                {
                    "lines": shop.lines,
                    "clients": clients,
                    "per_s": rounded(least.median("per_second"), 1),
                    "own_tables_per_s": rounded(own.median("per_second"), 1),
                    "own_tables_ratio": rounded(own.ratio_to(least, "per_second"), 3),
                    "cpu_ms": rounded(least.median("cpu_ms"), 3),
                    "wal_bytes": rounded(least.median("wal_bytes"), 0),
                }
            )
        return found

    def over_http(self, shop: Shop) -> list[dict[str, Any]]:
        found = []
        with serve():
            for clients in self.plan.clients:
                series = measure(
                    admin=self.admin,
                    shop=shop,
                    drivers=("http", "http_nothing", "floor"),
                    clients=clients,
                    rounds=self.plan.rounds,
                    seconds=self.plan.seconds,
                    has_wal=self.has_wal,
                )
                ours, nothing, floor = series["http"], series["http_nothing"], series["floor"]
                found.append(
                    {
                        "lines": shop.lines,
                        "clients": clients,
                        "ours_per_s": rounded(ours.median("per_second"), 1),
                        "floor_per_s": rounded(floor.median("per_second"), 1),
                        "ratio": rounded(ours.ratio_to(floor, "per_second"), 3),
                        "p50_ms": rounded(ours.median("p50_ms")),
                        "p95_ms": rounded(ours.median("p95_ms")),
                        "nothing_per_s": rounded(nothing.median("per_second"), 1),
                        "nothing_ratio": rounded(nothing.ratio_to(floor, "per_second"), 3),
                    }
                )
        return found


def outbox_plan(plan: Plan, *, changes: int | None = None) -> OutboxPlan:
    """The part about the outbox that goes with a plan; `changes` coalesced and drained instead of its own number."""
    usual = OUTBOX_PLANS[next(name for name, one in PLANS.items() if one is plan)]
    return replace(usual, changes=changes) if changes else usual


def run(plan: Plan, *, with_http: bool, path: Path, changes: int | None = None) -> dict[str, Any]:
    """Fill the empty database of the environment, measure, print, write. Returns the results."""
    with connect_as_owner() as admin:
        bench = Bench(plan, admin, allow_reading_wal(admin), can_count_statements(admin))
        shops = bench.fill()
        middle = 20 if 20 in plan.lines else plan.lines[0]
        gc.freeze()
        results: dict[str, Any] = {"machine": machine(admin)}
        results["completions"] = bench.completions(shops)
        results["hot"] = bench.hot(middle)
        results["emptied"] = bench.emptied(middle)
        results["minimal"] = bench.minimal(shops[(middle, 1)])
        if with_http:
            results["http"] = bench.over_http(shops[(middle, 1)])
        results["outbox"] = measure_outbox(outbox_plan(plan, changes=changes), admin)
        results["ledger_findings"] = _findings()
        results["rollup"] = measure_rollups(rounds=3 * plan.rounds, levels=plan.levels, nodes=plan.nodes)
    results["simulator"] = measure_simulator(excerpt=plan is TINY)
    results["targets"] = targets(results)
    write(results, path=path)
    show(results, path)
    return results


def _findings() -> list[str]:
    """What `verify_ledger` would find in the books after all this."""
    return [f"{i.name}: {finding}" for i in (*OF_INVENTORY, *OF_PRODUCTION) for finding in i.find()]


def targets(results: dict[str, Any]) -> list[dict[str, Any]]:
    """The figures that are promised, with what they were and whether that is enough; see docs/performance.md."""
    rows = {(r["lines"], r["lots"], r["clients"]): r for r in results["completions"]}
    main = rows.get((20, 1, 4))
    if main is None:
        return []
    statements = [r["statements"] for r in results["completions"] if r["statements"] is not None]
    http = next((r for r in results.get("http", []) if r["clients"] == 4), None)
    hot = results["hot"]
    large, small = rows.get((100, 1, 1)), rows.get((20, 1, 1))
    wanted: list[tuple[str, str, float | None, bool | None]] = [
        ("P1", "rate of the floor, 20 lines, 4 clients: at least 0.40", main["ratio"], _at_least(main["ratio"], 0.40)),
        ("P2", "CPU of the floor, 20 lines: at most 3.0", main["cpu_ratio"], _at_most(main["cpu_ratio"], 3.0)),
        (
            "P3",
            "statements each: at most 14, the same for all lines and lots",
            max(statements, default=None),
            max(statements) <= 14 and len(set(statements)) == 1 if statements else None,
        ),
        ("P4", "log bytes of the floor: at most 1.5", main["wal_ratio"], _at_most(main["wal_ratio"], 1.5)),
        (
            "P5",
            "rate of the floor over HTTP: at least 0.25",
            http and http["ratio"],
            http and _at_least(http["ratio"], 0.25),
        ),
        (
            "P6",
            "rate of the floor on one hot component: at least 0.5, no deadlock",
            hot["ratio"],
            hot["ratio"] >= 0.5 and not hot["failures"] and hot["deadlocks"] == 0,
        ),
    ]
    simulated = results["simulator"]
    if simulated["order_lines"] > SIMULATED_LINES_MIN:
        seconds = simulated["two_rules_s"]
        wanted.append(("P14", "two rules over a year of real orders: at most 60 s", seconds, seconds <= 60))
    if large and small:
        growth = round(large["p50_ms"] / small["p50_ms"], 2)
        wanted.append(("P7", "latency of 100 lines against 20: at most 5", growth, growth <= 5))
    outbox = results["outbox"]
    wanted.append(
        ("P9", "outbox claimed and settled, of the floor: at least 0.3", outbox["ratio"], outbox["ratio"] >= 0.3)
    )
    if results.get("rollup"):
        slowest = max(row["ours_ms"] for row in results["rollup"])
        wanted.append(("P12", "cost of 10 levels and 10,000 items, ms: at most 60", slowest, slowest <= 60))
    return [{"id": i, "what": what, "value": value, "reached": reached} for i, what, value, reached in wanted]


def _at_least(value: float | None, limit: float) -> bool | None:
    return None if value is None else value >= limit


def _at_most(value: float | None, limit: float) -> bool | None:
    return None if value is None else value <= limit


def _print_one(row: dict[str, Any]) -> None:
    print(
        f"  {row['lines']:3} lines, {row['lots']} lots, {row['clients']} clients: {row['ours_per_s']}/s, "
        f"{row['ratio']} of the floor, CPU x{row['cpu_ratio']}",
        flush=True,
    )
