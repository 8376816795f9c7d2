"""What open work orders will still make and what they still need, beyond what is reserved for them."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from django.db import connection
from django.db.models import F, Sum

from inventory.arrays import numbers
from inventory.quantities import ZERO
from production.explosion import MANUAL, Rate, expected_usage
from production.models import DEMAND_KIND, WorkOrder
from production.models.work_orders import exact_setup


def open_outputs(*, items: Sequence[int], places: Sequence[int] | None = None) -> dict[int, Decimal]:
    """Still to be made of each item by open orders, by item id; `places`: into these (None: anywhere). One statement."""
    orders = WorkOrder.objects.open().filter(item_id__in=items, planned__gt=F("good") + F("scrapped"))
    if places is not None:
        orders = orders.filter(output_location_id__in=places)
    return dict(
        orders.order_by()
        .values("item_id")
        .annotate(open=Sum(F("planned") - F("good") - F("scrapped")))
        .values_list("item_id", "open")
    )


_NEEDS = """
SELECT l.component_id, c.step, l.rate_numerator, l.rate_denominator, l.setup_quantity, l.setup_numerator, l.setup_denominator,
       l.rounding_multiple, CASE WHEN l.issue_method = %s THEN l.used ELSE l.booked END,
       o.planned, coalesce(r.quantity, 0), row_number() OVER (PARTITION BY o.id, l.component_id ORDER BY l.id)
FROM production_workorderline l
JOIN production_workorder o ON o.id = l.work_order_id AND o.state = 'open' AND o.planned > o.good + o.scrapped
JOIN inventory_item c ON c.id = l.component_id
LEFT JOIN LATERAL (
  SELECT sum(r.quantity) AS quantity FROM inventory_reservation r
  WHERE r.demand_kind = %s AND r.demand_ref = o.number AND r.item_id = l.component_id AND r.quantity > 0
) r ON true
WHERE l.component_id = ANY(%s::bigint[]) AND NOT l.is_consumable AND NOT l.is_optional
  AND (%s::bigint[] IS NULL OR o.source_location_id IS NULL OR o.source_location_id = ANY(%s::bigint[]))
"""


def open_needs(*, items: Sequence[int], places: Sequence[int] | None = None) -> dict[int, Decimal]:
    """Still needed of each component by open orders and not reserved for them, by item id; stock unit. One statement.

    `places`: orders that take from these, or from anywhere (None: all orders). The need is the cumulative one for the whole
    plan less what completions booked (used, of what is issued by hand), rounded as a completion of the rest would round it.
    """
    wanted = None if places is None else numbers(places)
    found: dict[int, Decimal] = {}
    with connection.cursor() as cursor:
        cursor.execute(_NEEDS, [MANUAL, DEMAND_KIND, numbers(items), wanted, wanted])
        for component, step, top, bottom, *setup, multiple, done, planned, reserved, number in cursor.fetchall():
            rate = Rate(
                component_id=component,
                per_unit=Fraction(int(top), int(bottom)),
                setup=exact_setup(*setup),
                multiple=None if multiple is None else Fraction(multiple),
            )
            need = expected_usage(rate, started_after=planned, booked=done, step=step)
            found[component] = found.get(component, ZERO) + max(ZERO, need - (reserved if number == 1 else ZERO))
    return {item_id: quantity for item_id, quantity in found.items() if quantity}
