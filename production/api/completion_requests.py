"""The body of a completion with its objects: what the operation is asked for."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from rest_framework.exceptions import ValidationError

from inventory.api.references import Named, Reading, Where, find_one, in_stock_units
from inventory.api.stock import picked_lots
from inventory.models import Item, Location
from production.models import Bom, WorkOrder
from production.operations.completing import Actual, ByProduct, CompletionRequest, OutputLot

PLACES = ("source_location", "output_location", "scrap_location")


class CompletionBody:
    """A checked body before what it names is read. Raises ValidationError where it does not say what was made."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        if (values["work_order"] is None) == (values["item"] is None):
            raise ValidationError({"item": ["Give either the item that was made, or the work order."]})
        self.values = values
        actuals, by_products = values["actuals"], values["by_products"]
        named: list[tuple[Where, Named]] = [] if values["item"] is None else [(("item",), values["item"])]
        for number, line in enumerate(actuals):
            named.append((("actuals", number, "component"), line["component"]))
            if line["replaces"] is not None:
                named.append((("actuals", number, "replaces"), line["replaces"]))
        named += [(("by_products", number, "item"), by["item"]) for number, by in enumerate(by_products)]
        places: list[tuple[Where, Named]] = [((name,), values[name]) for name in PLACES if values[name] is not None]
        places += [
            (("by_products", number, "location"), by["location"])
            for number, by in enumerate(by_products)
            if by["location"] is not None
        ]
        self._named, self._places = [where for where, _ in named], [where for where, _ in places]
        self.reading = Reading(named, places)

    def request(self) -> CompletionRequest:
        """With its objects: one statement for items and places, unless they were read, one each where named for lots, order
        and BOM.

        Raises ValidationError for what is not there, InvalidUnit, InvalidQuantityStep.
        """
        order = _work_order(self.values)
        items, places = self.reading.found()
        return _request(
            self.values,
            order,
            items=dict(zip(self._named, items, strict=True)),
            places=dict(zip(self._places, places, strict=True)),
        )


def completion_request(values: Mapping[str, Any]) -> CompletionRequest:
    """The checked body with its objects. Raises as CompletionBody does."""
    return CompletionBody(values).request()


def _request(
    values: Mapping[str, Any],
    order: WorkOrder | None,
    *,
    items: Mapping[Where, Item],
    places: Mapping[Where, Location],
) -> CompletionRequest:
    item = order.item if order else items[("item",)]
    bom_id, unit = values["bom_id"], values["unit"]
    good, scrapped = in_stock_units([(item, values["good"], unit), (item, values["scrapped"], unit)])
    return CompletionRequest(
        good=good,
        item=None if order else item,
        work_order=order,
        scrapped=scrapped,
        scrap_reason=values["scrap_reason"],
        scrap_location=places.get(("scrap_location",)),
        source_location=places.get(("source_location",)),
        output_location=places.get(("output_location",)),
        output_lot_code=values["output_lot"],
        expires_on=values["expires_on"],
        output_lots=_output_lots(item, values),
        actuals=_actuals(values["actuals"], items),
        by_products=_by_products(values["by_products"], items, places),
        bom=None if bom_id is None else find_one(Bom, "id", where=("bom_id",), name=bom_id, what="BOM version"),
        reason=values["reason"],
        reference=values["reference"],
        note=values["note"],
        effective_at=values["effective_at"],
        labour_minutes=values["labour_minutes"],
        machine_minutes=values["machine_minutes"],
        build_missing=values["build_missing"],
        may_go_below=values["may_go_below"],
        is_confirmed=values["is_confirmed"],
    )


def _work_order(values: Mapping[str, Any]) -> WorkOrder | None:
    named = values["work_order"]
    if named is None:
        return None
    order = find_one(WorkOrder, "number", where=("work_order",), name=named, what="work order")
    return WorkOrder.objects.select_related("item").get(pk=order.pk)


def _output_lots(item: Item, values: Mapping[str, Any]) -> list[OutputLot]:
    if values["serials"]:
        return [OutputLot(serial, Decimal(1), values["expires_on"]) for serial in values["serials"]]
    lots = values["output_lots"]
    quantities = in_stock_units([(item, lot["quantity"], values["unit"]) for lot in lots])
    return [
        OutputLot(lot["lot"], quantity, lot["expires_on"] or values["expires_on"])
        for lot, quantity in zip(lots, quantities, strict=True)
    ]


def _actuals(lines: Sequence[Mapping[str, Any]], items: Mapping[Where, Item]) -> list[Actual]:
    if not lines:
        return []
    components = [items[("actuals", number, "component")] for number in range(len(lines))]
    both = [
        (item, line[name], line["unit"])
        for name in ("quantity", "scrapped")
        for item, line in zip(components, lines, strict=True)
    ]
    quantities = in_stock_units(both)
    return [
        Actual(
            component=item,
            quantity=quantities[number],
            reason=line["reason"],
            lots=picked_lots(item, line["lots"], line["unit"], at=("actuals", number)),
            replaces=items.get(("actuals", number, "replaces")),
            scrapped=quantities[len(lines) + number],
            cause=line["cause"] or "",
        )
        for number, (line, item) in enumerate(zip(lines, components, strict=True))
    ]


def _by_products(
    lines: Sequence[Mapping[str, Any]], items: Mapping[Where, Item], places: Mapping[Where, Location]
) -> list[ByProduct]:
    made = [items[("by_products", number, "item")] for number in range(len(lines))]
    quantities = in_stock_units(
        [(item, line["quantity"], line["unit"]) for item, line in zip(made, lines, strict=True)]
    )
    return [
        ByProduct(item, quantity, location=places.get(("by_products", number, "location")), lot_code=line["lot"])
        for number, (line, item, quantity) in enumerate(zip(lines, made, quantities, strict=True))
    ]
