"""Published BOMs of several levels, from the files to the inspected product and back: seconds for each step.

The sets lie in the data folder beside the repository. One that is absent is named as not measured. Run alone with
`python -m bench.data_sets`; `make bench` runs it last, in a database of its own.
"""

import argparse
import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import django

from bench.database import ROOT, connect_as_owner, make_database

BOM_SETS = ROOT.parent / "shared" / "data" / "bom"
ON = date(2025, 1, 1)
"""The day whose versions of AdventureWorks count."""
STEPS = ("import", "plan", "stock", "release", "complete", "verdict", "reverse", "verify")
Record = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Source:
    """What is imported of a set, kind by kind, which products are made, how many of each, and what bought items cost."""

    files: Sequence[tuple[str, bytes, str]]
    products: Sequence[str]
    quantity: Decimal = Decimal(2)
    prices: Mapping[str, str] = field(default_factory=dict)
    on: date | None = None


# --- The sets ---------------------------------------------------------------------------------------------------------


def _bytes(*parts: str) -> bytes:
    return BOM_SETS.joinpath(*parts).read_bytes()


def _rows(*parts: str) -> list[dict[str, str]]:
    with BOM_SETS.joinpath(*parts).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def as_csv(records: Sequence[Record]) -> bytes:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, fieldnames=list(records[0]))
    writer.writeheader()
    writer.writerows(records)
    return file.getvalue().encode()


def _adventureworks() -> Source:
    """Its tables name products by keys; in one file each they are named by their numbers."""
    products = {row["ProductID"]: row for row in _rows("adventureworks", "Product.csv")}
    lines = _rows("adventureworks", "BillOfMaterials.csv")
    units = {line["ComponentID"]: line["UnitMeasureCode"] for line in lines}
    for line in lines:
        parent = line["ProductAssemblyID"]
        line["ProductAssemblyID"] = products[parent]["ProductNumber"] if parent else ""
        line["ComponentID"] = products[line["ComponentID"]]["ProductNumber"]
    items = [{**row, "Unit": units.get(key, "EA"), "SellEndDate": ""} for key, row in products.items()]
    prices = {row["ProductNumber"]: row["StandardCost"] for row in products.values() if Decimal(row["StandardCost"])}
    files = [("items", as_csv(items), "Product.csv"), ("boms", as_csv(lines), "BillOfMaterials.csv")]
    return Source(files, ["BK-R93R-62"], prices=prices, on=ON)


def _mendel90() -> Source:
    return Source([("boms", _bytes("mendel90", "dibond", "bom_lines.csv"), "dibond.csv")], ["machine_assembly"])


def _respiraworks() -> Source:
    name = "respiraworks_ventilator"
    files = [(kind, _bytes(name, file), file) for kind, file in (("items", "parts.csv"), ("boms", "bom_lines.csv"))]
    prices = {row["part"]: row["unit_price_usd"] for row in _rows(name, "parts.csv")}
    return Source(files, ["RW-VENTILATOR"], prices=prices)


def _inventree() -> Source:
    """Every product with a sub-assembly that is in no other product."""
    name = "inventree_demo"
    files = [(kind, _bytes(name, file), file) for kind, file in (("items", "parts.csv"), ("boms", "bom_lines.csv"))]
    lines = _rows(name, "bom_lines.csv")
    made, below = {line["parent"] for line in lines}, {line["component"] for line in lines}
    tops = sorted({line["parent"] for line in lines if line["component"] in made} - below)
    return Source(files, tops, quantity=Decimal(4))


SETS: dict[str, Callable[[], Source]] = {
    "adventureworks": _adventureworks,
    "mendel90": _mendel90,
    "respiraworks_ventilator": _respiraworks,
    "inventree_demo": _inventree,
}


def is_there(name: str) -> bool:
    return (BOM_SETS / name).is_dir()


# --- The report -------------------------------------------------------------------------------------------------------


def measure_data_sets(names: Iterable[str] = tuple(SETS)) -> dict[str, Any]:
    """A row of seconds for each set that is there, and the names of those that are not."""
    from bench.carrying import measure_set  # it needs the models

    wanted = list(names)
    measured = [measure_set(name) for name in wanted if is_there(name)]
    return {
        "rows": [one.as_row() for one in measured],
        "absent": [name for name in wanted if not is_there(name)],
        "findings": [finding for one in measured for finding in one.findings],
    }


def show(found: Mapping[str, Any]) -> None:
    """Print the table, and say plainly what was not measured."""
    from bench.report import print_table

    if found["rows"]:
        rows = [list(row.values()) for row in found["rows"]]
        print_table("Published BOMs, from the files to the product and back", list(found["rows"][0]), rows)
        print(f"\nThe ledger after each of them: {found['findings'] or 'every invariant holds'}")
    for name in found["absent"]:
        print(f"not measured: {name} lies beside the repository, in shared/data/bom/{name}, and is not there")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.data_sets", description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "var" / "bench.json", help="where the results go")
    parser.add_argument(
        "--database", default="backflush_data_sets", help="the database that is made for it, and dropped first"
    )
    parser.add_argument("--sets", nargs="*", choices=sorted(SETS), default=list(SETS), help="which of them")
    options, _ = parser.parse_known_args()  # `make bench` hands on the arguments of its first part as well

    make_database(options.database)
    django.setup()
    from bench.report import machine, write  # they need the models

    found = measure_data_sets(options.sets)
    with connect_as_owner() as admin:
        found["machine"] = machine(admin)
    write({"data_sets": found}, path=options.output)
    show(found)


if __name__ == "__main__":
    main()
