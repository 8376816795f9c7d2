"""Where the data sets lie: in `shared/data` beside the repository. Tests that need one are skipped when it is absent."""

import csv
import io
from pathlib import Path

import pytest

BOM_SETS = Path(__file__).resolve().parents[3] / "shared" / "data" / "bom"


def needs(name):
    return pytest.mark.skipif(
        not (BOM_SETS / name).is_dir(), reason=f"the data set {name} is not beside the repository"
    )


def content(*parts):
    return BOM_SETS.joinpath(*parts).read_bytes()


def rows(*parts):
    with BOM_SETS.joinpath(*parts).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def as_csv(records):
    """Records as the content of a CSV file."""
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, fieldnames=list(records[0]))
    writer.writeheader()
    writer.writerows(records)
    return file.getvalue().encode()
