"""The lots that outputs go into: those that exist keep what they say, new ones get the expiry of the completion."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from inventory.errors import DomainError
from inventory.models import CostEntryKind, Item, Tracking
from inventory.operations.lots import (
    LotSpec,
    ensure_lots,
    lots_answered,
    lots_there,
    refuse_other_expiry,
    refuse_serials_on_hand,
)
from inventory.operations.posting import Draft
from production.facts import Recipe
from production.models import OperationKind
from production.operations.completing.outputs import (
    OPERATION_ENTRIES,
    automatic_lot_code,
    output_expiry,
    output_lot_code,
)
from production.operations.completing.requests import CompletionPlan, CompletionRequest, PlannedOutput, item_of


def usual_lot(request: CompletionRequest, recipe: Recipe, *, on: date, posting_id: int | None) -> list[LotSpec]:
    """The one lot of a completion that has no other output; empty for any other, whose lots are made when they are known."""
    if not request.good or request.output_lots or request.by_products or (recipe.extras and recipe.extras.outputs):
        return []
    item = item_of(request)
    code = output_lot_code(request, item, on=on, posting_id=posting_id)
    given = None if item.tracking == Tracking.NONE else request.expires_on
    return [LotSpec(item, code, on, given, expires_on_if_new=output_expiry(item, given, on=on))]


def with_lots_there(
    outputs: Sequence[PlannedOutput], *, item: Item, on: date, problems: list[DomainError]
) -> list[PlannedOutput]:
    """For a preview: the outputs with the expiry of the lots that exist, and what the posting would refuse about them."""
    automatic = {"", automatic_lot_code(on=on, posting_id=None)}
    named = [output for output in outputs if output.lot_code not in automatic]
    if not named:
        return list(outputs)
    specs = _specs_of(named, item=item, on=on)
    there = lots_there(specs)
    known = [spec for spec in specs if spec.key in there]
    try:
        for spec in known:
            refuse_other_expiry(spec, there[spec.key][1])
        refuse_serials_on_hand(known, {key: lot_id for key, (lot_id, _) in there.items()})
    except DomainError as error:
        problems.append(error)
    found = []
    for output in outputs:
        key = (output.item_id, output.lot_code.upper())
        found.append(replace(output, expires_on=there[key][1]) if key in there else output)
    return found


def receive_outputs(draft: Draft, plan: CompletionPlan, *, item: Item, on: date, usual: Sequence[LotSpec]) -> list[int]:
    """Put everything that came out into stock with the value it carries; return its lot ids in order.

    `usual` is the lot that was made when the rows were locked, if one was.

    Without a good unit the whole cost is scrap expense (rule S8).
    """
    for kind, cost in plan.operation_costs.items():
        draft.expense(item.pk, OPERATION_ENTRIES[OperationKind(kind)], -cost)
    if not plan.good:
        whole = None if plan.consumed_value is None else plan.consumed_value + plan.operation_value
        draft.expense(item.pk, CostEntryKind.SCRAP, whole)
    if not plan.outputs:
        return []
    if usual:
        specs: Sequence[LotSpec] = usual
        lots = lots_answered(usual, draft.rows.answer)
    else:
        specs = _specs_of(plan.outputs, item=item, on=on)
        lots = ensure_lots(specs)
    refuse_serials_on_hand(specs, lots)
    lot_ids = [lots[spec.key] for spec in specs]
    for output, lot_id in zip(plan.outputs, lot_ids, strict=True):
        draft.receive((output.item_id, output.location.pk, lot_id, output.status), output.quantity, output.value)
    return lot_ids


def _specs_of(outputs: Sequence[PlannedOutput], *, item: Item, on: date) -> list[LotSpec]:
    items = {item.pk: item}
    others = [output.item_id for output in outputs if output.item_id != item.pk]
    if others:
        items.update(Item.objects.in_bulk(others))
    return [
        LotSpec(
            items[output.item_id],
            output.lot_code,
            on,
            output.expires_on if output.is_expiry_given else None,
            expires_on_if_new=output.expires_on,
        )
        for output in outputs
    ]
