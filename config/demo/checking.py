"""The first check of the demo company's ledger, and a few changes of its set-up by different people."""

from decimal import Decimal

from django.contrib.auth.models import User

from config.integrity.checking import run_check
from inventory.models import InvariantRun, Item, ItemUnit


def ensure_upkeep() -> None:
    """The planner gives jars a pallet as a pack and soy wax another lead time, once."""
    planner = User.objects.get(username="planner")
    jar, wax = Item.objects.get(sku="JAR-220"), Item.objects.get(sku="WAX-SOY")
    if not jar.units.filter(name="pallet").exists():
        _save(ItemUnit(item=jar, name="pallet", numerator=Decimal(960), is_purchase_unit=True), planner)
    if not wax.history.filter(history_user=planner).exists():
        wax.reorder_point, wax.reorder_quantity, wax.lead_time_days = Decimal(60), Decimal(120), 9
        _save(wax, planner)


def ensure_checked() -> None:
    """One run of the ledger check, so that its page has something to show from the first day."""
    if not InvariantRun.objects.exists():
        run_check(cause="load_demo")


def _save(row: Item | ItemUnit, person: User) -> None:
    row._history_user = person  # type: ignore[union-attr]  # read by simple_history
    row.save()
