"""What was measured, for people and for programs."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.database import Connection
from bench.measuring import Series


def rounded(value: float | None, places: int = 2) -> float | None:
    return None if value is None else round(value, places)


def figures(ours: Series, floor: Series) -> dict[str, Any]:
    """Our figures and the floor's; ratios are medians over the rounds."""
    return {
        "ours_per_s": rounded(ours.median("per_second"), 1),
        "floor_per_s": rounded(floor.median("per_second"), 1),
        "ratio": rounded(ours.ratio_to(floor, "per_second"), 3),
        "p50_ms": rounded(ours.median("p50_ms")),
        "p95_ms": rounded(ours.median("p95_ms")),
        "floor_p50_ms": rounded(floor.median("p50_ms")),
        "floor_p95_ms": rounded(floor.median("p95_ms")),
        "wal_bytes": rounded(ours.median("wal_bytes"), 0),
        "floor_wal_bytes": rounded(floor.median("wal_bytes"), 0),
        "wal_ratio": rounded(ours.ratio_to(floor, "wal_bytes"), 3),
        "cpu_ms": rounded(ours.median("cpu_ms"), 3),
        "cpu_client_ms": rounded(ours.median("cpu_client_ms"), 3),
        "floor_cpu_ms": rounded(floor.median("cpu_ms"), 3),
        "cpu_ratio": rounded(ours.ratio_to(floor, "cpu_ms"), 3),
        "failures": ours.failures(),
        "floor_failures": floor.failures(),
    }


def machine(admin: Connection) -> dict[str, Any]:
    row = admin.execute("SHOW server_version").fetchone()
    assert row is not None
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "load": [round(value, 2) for value in os.getloadavg()],
        "python": platform.python_version(),
        "postgresql": row[0],
        "system": platform.platform(),
    }


def write(results: Mapping[str, Any], *, path: Path) -> None:
    """Replace the sections that were measured now in the file of results, and keep the others."""
    known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**known, **results}, indent=1) + "\n", encoding="utf-8")


def show(results: Mapping[str, Any], path: Path) -> None:
    """Print what was measured, and which of the promised figures were reached."""
    print_rows(
        "Completions, in process",
        results["completions"],
        "lines lots clients ours_per_s floor_per_s ratio statements p50_ms p95_ms wal_bytes wal_ratio cpu_ms cpu_client_ms"
        " floor_cpu_ms cpu_ratio",
    )
    print_rows(
        "One component shared by all",
        [results["hot"]],
        "lines clients ours_per_s floor_per_s ratio p50_ms p95_ms deadlocks failures",
    )
    print_rows("A component whose earlier lots are used up, 1 client", [results["emptied"]])
    print_rows("The floor on a minimal schema (not judged)", results["minimal"])
    print_rows("Over HTTP with a token", results.get("http", []))
    simulated = results["simulator"]
    print_rows(
        f"A year replayed by the simulator ({simulated['data']})",
        [simulated],
        "items order_lines reading_s two_rules_s two_rules_cpu_s daily_rule_s",
    )
    print_rows("What it says", simulated["rows"])
    print(simulated["assumed"])
    outbox = results["outbox"]
    print_rows("Outbox, claimed and settled", [outbox], "rows batch ours_per_s floor_per_s ratio cpu_us cpu_ratio")
    print_rows("Outbox, drained into a local sink", outbox["drains"])
    print_rows("Cost roll-up, reading included", results.get("rollup", []))
    words = {True: "reached", False: "MISSED", None: "not measured"}
    rows = [[t["id"], t["what"], t["value"], words[t["reached"]]] for t in results["targets"]]
    print_table("Promised figures", ("", "figure", "now", ""), rows)
    print(f"\nThe ledger after all this: {results['ledger_findings'] or 'every invariant holds'}")
    print(f"Load of the machine before measuring: {results['machine']['load']}. Results: {path}")


def print_rows(title: str, rows: Sequence[Mapping[str, Any]], names: str = "") -> None:
    """A table of some or all values of the rows; nothing when there are none."""
    if rows:
        header = names.split() or list(rows[0])
        print_table(title, header, [[row[name] for name in header] for row in rows])


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    texts = [[_shown(value) for value in row] for row in rows]
    widths = [max(len(row[n]) for row in [list(header), *texts]) for n in range(len(header))]
    print(f"\n{title}")
    for row in [list(header), *texts]:
        print("  " + "  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)))


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.2f}"
    return str(value)
