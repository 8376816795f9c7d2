"""`manage.py expire_lots`: set lots past their last day to expired, as the nightly task does."""

from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from inventory.operations.expiring import ExpiredLot, end_negative_leave, expire_due_lots
from inventory.quantities import as_text


class Command(BaseCommand):
    help = "Set what is available of lots past their last day to expired. Held and quarantined stock stays so."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only show what would change")
        parser.add_argument("--on", type=date.fromisoformat, help="as if it were this day (default: today)")

    def handle(self, *_: Any, **options: Any) -> None:
        if options["on"] and options["on"] > timezone.localdate() and not options["dry_run"]:
            raise CommandError(
                "That day is still to come; these lots are good until then. Add --dry-run to look ahead."
            )
        expired = expire_due_lots(on=options["on"], dry_run=options["dry_run"])
        for one in expired:
            self._say(one)
        would = " would be" if options["dry_run"] else ""
        self.stdout.write(f"{len(expired)} lots{would} set to expired")
        if not options["dry_run"]:
            self.stdout.write(f"{end_negative_leave()} cells may no longer go below zero")

    def _say(self, one: ExpiredLot) -> None:
        posting = f"  {one.posting}" if one.posting else ""
        self.stdout.write(
            f"{one.item.sku}  lot {one.lot.code}  expired {one.lot.expires_on}  "
            f"{as_text(one.quantity)} {one.item.stock_unit}{posting}"
        )
        for pin in one.freed:
            self.stdout.write(f"    freed {as_text(pin.quantity)} of {pin.demand_kind} {pin.demand_ref}")
