"""Deciding about quantities that completions propose: drafting a version with one, or dismissing it for a reason."""

from dataclasses import dataclass, replace
from decimal import Decimal

from django.db import connection

from inventory.errors import WrongState
from inventory.models import Item
from inventory.operations.posting import Actor
from inventory.operations.transactions import operation
from inventory.quantities import ZERO, as_text, is_exact
from production.errors import InvalidBom
from production.models import Bom, BomLine, BomProposal, BomState, ProposalDecision
from production.operations.boms import create_draft, replace_lines, spec_of
from production.reads.cost_rollup import cost_rollups

_DECISION_LOCK = 7_204
"""Advisory lock, with the version's id, of everyone who decides about its proposals; taken before that of the BOM graph."""


@dataclass(frozen=True, slots=True)
class DraftedProposal:
    """The draft that carries a proposed quantity, and what a unit costs by the version in force and by the draft.

    Costs are in base currency, None when unknown. `replayed`: the draft was there already.
    """

    decision: BomProposal
    draft: Bom
    cost_before: Decimal | None
    cost_after: Decimal | None
    replayed: bool


@operation
def accept_proposal(*, bom: Bom, component: Item, quantity: Decimal, measured: int, actor: Actor) -> DraftedProposal:
    """Draft a new version of `bom` in which the line of `component` needs `quantity` (the line's unit, per batch).

    A draft that another accepted proposal about `bom` made and nobody activated takes this one too, so that they do not undo
    each other. Nothing changes for completions until the draft is activated. The same proposal again gives the same draft
    while it is one. Raises WrongState when `bom` is no longer active, InvalidBom when the component is not on exactly one line.
    """
    _check_quantity(quantity)
    line = _line_of(bom, component)
    known = (
        BomProposal.objects.filter(
            bom=bom,
            component=component,
            proposed=quantity,
            decision=ProposalDecision.ACCEPTED,
            draft__state=BomState.DRAFT,
        )
        .select_related("draft__item")
        .first()
    )
    if known is not None and known.draft is not None:
        return _drafted(known, known.draft, replayed=True)
    draft = _open_draft(bom) or create_draft(item=bom.item, copy_of=bom, actor=actor)
    lines = list(draft.lines.select_related("component").order_by("position", "id"))
    specs = [
        replace(spec_of(one), quantity=quantity) if one.component_id == component.pk else spec_of(one) for one in lines
    ]
    draft = replace_lines(bom=draft, lines=specs, actor=actor)
    decision = BomProposal.objects.create(
        bom=bom,
        component=component,
        standard=line.quantity,
        proposed=quantity,
        measured=measured,
        decision=ProposalDecision.ACCEPTED,
        draft=draft,
        decided_by_id=getattr(actor, "pk", None),
    )
    return _drafted(decision, draft, replayed=False)


@operation
def dismiss_proposal(
    *, bom: Bom, component: Item, quantity: Decimal, measured: int, reason: str, actor: Actor
) -> BomProposal:
    """Say why a proposed quantity is not wanted; it is not proposed again for this version while it stays about the same.

    Raises WrongState when `bom` is no longer active, InvalidBom without a reason or when the component is not on exactly
    one line.
    """
    _check_quantity(quantity)
    words = reason.strip()[:300]
    if not words:
        raise InvalidBom(
            f"Dismissing {as_text(quantity)} for {component.sku} needs a reason. Say why the standard stays as it is.",
            item=bom.item.sku,
            needs="reason",
        )
    line = _line_of(bom, component)
    known = BomProposal.objects.filter(
        bom=bom, component=component, proposed=quantity, decision=ProposalDecision.DISMISSED, reason=words
    ).first()
    return known or BomProposal.objects.create(
        bom=bom,
        component=component,
        standard=line.quantity,
        proposed=quantity,
        measured=measured,
        decision=ProposalDecision.DISMISSED,
        reason=words,
        decided_by_id=getattr(actor, "pk", None),
    )


def _check_quantity(quantity: Decimal) -> None:
    if quantity <= ZERO or not is_exact(quantity):
        raise ValueError(f"quantity must be positive and exact to six decimals, not {quantity}")


def _line_of(bom: Bom, component: Item) -> BomLine:
    """The line a decision is about, with all decisions about the version held back until this one is made."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_DECISION_LOCK, bom.pk % 2**31])
    now = Bom.objects.select_related("item").get(pk=bom.pk)
    if now.state != BomState.ACTIVE:
        raise WrongState(
            f"BOM v{now.version} of {now.item.sku} is {now.get_state_display().lower()}; proposals are about the active "
            "version. Look at what the present one says.",
            item=now.item.sku,
            state=now.state,
        )
    lines = list(now.lines.filter(component=component))
    if len(lines) != 1:
        raise InvalidBom(
            f"{component.sku} stands on {len(lines)} lines of BOM v{now.version} of {now.item.sku}; a proposal is about "
            "exactly one. Make a draft and change it by hand.",
            item=now.item.sku,
            component=component.sku,
        )
    return lines[0]


def _open_draft(bom: Bom) -> Bom | None:
    """The newest draft that accepted proposals about a version made."""
    accepted = BomProposal.objects.filter(
        bom=bom, decision=ProposalDecision.ACCEPTED, draft__state=BomState.DRAFT, draft__drafted_from=bom
    )
    newest = accepted.select_related("draft__item").order_by("-pk").first()
    return newest.draft if newest is not None else None


def _drafted(decision: BomProposal, draft: Bom, *, replayed: bool) -> DraftedProposal:
    costs = cost_rollups(boms=[decision.bom_id, draft.pk])
    before, after = costs.get(decision.bom_id), costs.get(draft.pk)
    return DraftedProposal(
        decision,
        draft,
        None if before is None else before.unit_cost,
        None if after is None else after.unit_cost,
        replayed,
    )
