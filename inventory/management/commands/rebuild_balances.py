"""`manage.py rebuild_balances`: balances and cost pools once more from the movements."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from inventory.errors import DomainError
from inventory.models import Item
from inventory.operations.rebuilding import rebuild_balances


class Command(BaseCommand):
    help = (
        "Bring balances and cost pools of items to what the movements say; pools of lots and cost layers are compared but not "
        "rebuilt. Work may go on meanwhile."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only show what differs")
        parser.add_argument("--item", action="append", metavar="SKU", help="only this item; may be given several times")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            result = rebuild_balances(items=_chosen(options["item"]), dry_run=options["dry_run"])
        except DomainError as error:
            raise CommandError(error.message) from None
        for difference in result.differences:
            self.stdout.write(str(difference))
        done = "would be corrected" if options["dry_run"] else "corrected"
        self.stdout.write(f"{result.items} items, {len(result.differences)} figures {done}")
        if result.damaged:
            for one in result.damaged:
                self.stderr.write(one)
            raise CommandError(
                f"{len(result.damaged)} pools of lots or cost layers do not add up and were not rebuilt: what a single lot or "
                "layer is worth does not follow from movements alone. Restore these tables from a backup: "
                "inventory_costpool, inventory_costlayer."
            )


def _chosen(skus: list[str] | None) -> list[int] | None:
    if not skus:
        return None
    found = {item.sku.upper(): item.pk for sku in skus for item in Item.objects.filter(sku__iexact=sku)}
    unknown = [sku for sku in skus if sku.upper() not in found]
    if unknown:
        raise CommandError(f"There is no item {', '.join(unknown)}. Check the SKU.")
    return sorted(found.values())
