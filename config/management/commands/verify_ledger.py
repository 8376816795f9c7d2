"""`manage.py verify_ledger`: every invariant on the present data, one line each; ends with an error on any breach."""

import json
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.integrity.checking import check_facts, store
from config.invariants import Finding
from inventory.invariants import FINDINGS_MAX


class Command(BaseCommand):
    help = "Check every invariant of stock, production and channels on the present data."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
        parser.add_argument("--no-store", action="store_true", help="do not keep the outcome with the other runs")

    def handle(self, *_: Any, **options: Any) -> None:
        check = check_facts()
        if not options["no_store"]:
            store(check, cause="verify_ledger")
        results = check.findings
        broken = [result for result in results if result.findings]
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(results), indent=2))
        else:
            for result in results:
                self._print(result)
        if broken:
            names = ", ".join(f"{result.app}: {result.invariant.name}" for result in broken)
            raise CommandError(f"{len(broken)} of {len(results)} invariants are broken ({names}).")
        if not options["json"]:
            self.stdout.write(self.style.SUCCESS(f"All {len(results)} invariants hold."))

    def _print(self, result: Finding) -> None:
        count = len(result.findings)
        more = "+" if count >= FINDINGS_MAX else ""
        state = self.style.SUCCESS("ok") if not count else self.style.ERROR(f"{count}{more} found")
        self.stdout.write(f"{state}  {result.app}: {result.invariant.name}. {result.invariant.description}")
        for finding in result.findings:
            self.stdout.write(f"      {finding}")


def _as_json(results: Sequence[Finding]) -> dict[str, Any]:
    return {
        "holds": not any(result.findings for result in results),
        "invariants": [
            {
                "app": result.app,
                "name": result.invariant.name,
                "description": result.invariant.description,
                "holds": not result.findings,
                "findings": list(result.findings),
            }
            for result in results
        ],
    }
