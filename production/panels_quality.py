"""What inspecting adds to the page of a posting: what it put on hold and what was decided, or the inspection it belongs to."""

from typing import Any

from django.http import HttpRequest

from inventory.models import Posting
from inventory.panels import PostingPanel, register_posting_panel
from production.models import InspectionDecision
from production.reads.held_goods import HeldGoods, HeldQuestion, held_goods
from production.reads.inspections import inspections, records


def inspections_of(request: HttpRequest, posting: Posting) -> dict[str, Any] | None:
    """What the panel of a posting shows; None when nothing of it was or is to be inspected, or this person may not see it."""
    if not request.user.has_perm("production.view_inspection"):
        return None
    decisions = InspectionDecision.objects.filter(posting=posting).select_related("verdict").with_is_reversed()
    decided = list(decisions.order_by("id"))
    if decided:
        return {"decisions": decided, "inspection_id": decided[0].verdict.inspection_id}
    begun = records(list(inspections().filter(posting=posting).order_by("pk")))
    waiting = _still_held(posting)
    if not begun and not waiting:
        return None
    return {"records": begun, "waiting": waiting}


def _still_held(posting: Posting) -> list[HeldGoods]:
    cells = posting.movements.filter(status="qc_hold", quantity__gt=0).values_list("item_id", "location_id", "lot_id")
    if not cells:
        return []
    items, places, lots = (sorted(set(ids)) for ids in zip(*cells, strict=True))
    question = HeldQuestion(item_ids=items, location_ids=places, lot_ids=lots)
    return [goods for goods in held_goods(question) if goods.posting_id == posting.pk]


register_posting_panel("inspection", PostingPanel("production/quality/_posting_inspection.html", inspections_of))
