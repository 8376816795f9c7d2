"""Makers of BOMs, work orders and completions."""

from datetime import date
from decimal import Decimal
from uuid import uuid4

from inventory.models import StockStatus
from inventory.operations.checking import packs_of
from inventory.operations.transferring import change_status
from inventory.units import unit_factor
from production.models import Bom, BomLine, BomState
from production.operations.completing import Actual, CompletionRequest, complete_production
from production.operations.reworking import open_rework
from tests.factories import lot_of, put_on_hand


def make_bom(
    *,
    item,
    lines,
    makes="1",
    state=BomState.ACTIVE,
    effective_from=date(2020, 1, 1),
    outputs=(),
    operations=(),
    **fields,
):
    """A BOM version; `lines` are (component, quantity) or (component, quantity, {field: value}).

    A line's field `substitutes` is (item, ratio), ...; `outputs` are (item, quantity, share %) or (item, quantity, 0, unit
    value); `operations` are dicts of fields.
    """
    version = (item.boms.order_by("-version").values_list("version", flat=True).first() or 0) + 1
    bom = Bom.objects.create(item=item, version=version, makes=Decimal(makes), **fields)
    for position, (component, quantity, *more) in enumerate(lines, start=1):
        values = dict(more[0]) if more else {}
        instead = values.pop("substitutes", ())
        factor = unit_factor(
            unit=values.get("unit", ""),
            stock_unit=component.stock_unit,
            packs=packs_of(component),
            sku=component.sku,
        )
        line = BomLine.objects.create(
            bom=bom,
            position=position,
            component=component,
            quantity=Decimal(quantity),
            unit_numerator=factor.numerator,
            unit_denominator=factor.denominator,
            **values,
        )
        for place, (other, ratio) in enumerate(instead, start=1):
            line.substitutes.create(position=place, item=other, ratio=Decimal(ratio))
    for position, (other, quantity, share, *fixed) in enumerate(outputs, start=1):
        bom.outputs.create(
            position=position,
            item=other,
            quantity=Decimal(quantity),
            cost_share_percent=Decimal(share),
            unit_value=Decimal(fixed[0]) if fixed else None,
        )
    for position, operation in enumerate(operations, start=1):
        bom.operations.create(position=position, **{"name": "Work", **operation})
    if state != BomState.DRAFT:
        bom.effective_from = effective_from
        bom.state = state
        bom.save()
    return bom


def complete(item=None, good="1", *, into=None, order=None, key=None, actor=None, actuals=(), **fields):
    """Post a completion; `actuals` are (component, quantity) or (component, quantity, reason)."""
    request = CompletionRequest(
        item=item,
        work_order=order,
        good=Decimal(good),
        output_location=into,
        scrapped=Decimal(fields.pop("scrapped", 0)),
        actuals=[Actual(c, Decimal(q), *more) for c, q, *more in actuals],
        **fields,
    )
    return complete_production(key=key or uuid4(), request=request, actor=actor)


def quarantined(item, place, quantity="10", *, lot="L1", value="50.00"):
    """A lot in quarantine, as something was found wrong with it."""
    put_on_hand(item, place, quantity, lot=lot, value=value)
    found = lot_of(item, lot)
    change_status(
        key=uuid4(),
        item=item,
        quantity=Decimal(quantity),
        location=place,
        from_status=StockStatus.AVAILABLE,
        to_status=StockStatus.QUARANTINE,
        lots=[(found, Decimal(quantity))] if lot else (),
        actor=None,
        reason="Label wrong",
    )
    return found


def open_rework_of(item, lot, place, quantity="10", *, components=(), minutes="0", rate="0", **rest):
    return open_rework(
        item=item,
        lot=lot,
        location=place,
        status=rest.pop("status", StockStatus.QUARANTINE),
        quantity=Decimal(quantity),
        work=rest.pop("work", "Put the right label on"),
        source_location=place,
        actor=None,
        components=[(component, Decimal(needed)) for component, needed in components],
        minutes=Decimal(minutes),
        rate_per_hour=Decimal(rate),
        **rest,
    )
