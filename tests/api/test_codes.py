"""Every refusal that operations know stands in docs/api.md, in the row of its status."""

import re
from importlib import import_module
from pathlib import Path

from inventory.errors import DomainError

MODULES = ("inventory.errors", "inventory.importing.errors", "production.errors", "channels_sync.operations.deciding")
NOT_OVER_REST = {
    "LEDGER_DAMAGED": "told by `manage.py rebuild_balances`",
    "TABLE_TOO_LARGE": "told by the pages that read files",
    "UNREADABLE_TABLE": "told by the pages that read files",
}
GUIDE = Path(__file__).resolve().parents[2] / "docs" / "api.md"


def refusals(base=DomainError):
    for one in base.__subclasses__():
        yield from refusals(one)
        if one.__module__ in MODULES and "code" in vars(one):
            yield one


def test_the_guide_names_every_refusal_in_the_row_of_its_status():
    for module in MODULES:
        import_module(module)
    told = {
        code: {int(status) for status in re.findall(r"\d{3}", row.split("|")[1])}
        for row in GUIDE.read_text().splitlines()
        if re.match(r"\| \d{3}", row)
        for code in re.findall(r"`([A-Z_]+)`", row.split("|")[2])
    }

    missing = sorted(
        (one.http_status, one.code)
        for one in refusals()
        if one.code not in NOT_OVER_REST and one.http_status not in told.get(one.code, ())
    )

    assert missing == []
