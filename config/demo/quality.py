"""Inspecting at the demo company: plans, a delivery of which a part failed, goods that wait, and a reported problem."""

from datetime import timedelta
from decimal import Decimal

from django.contrib.auth.models import User
from django.utils import timezone

from config.demo.catalogue import STORE, place
from config.demo.steps import days_ago, is_done, item, key_of, posting_of
from inventory.models import StockStatus
from inventory.operations.exceptions import report_problem
from inventory.operations.posting import Actor
from inventory.operations.receiving import ReceiptLine, receive_stock
from inventory.operations.standing_trouble import report_standing
from production.models import (
    CheckKind,
    Disposition,
    InspectionDecision,
    InspectionOf,
    InspectionPlan,
    InspectionVerdict,
    ReworkOrder,
)
from production.operations.inspecting import Finding, Outcome, decide_inspection
from production.operations.inspection_plans import CheckSpec, save_inspection_plan
from production.operations.reworking import open_rework, rework
from production.reads.held_goods import HeldQuestion, held_goods

_MEASURED, _PHOTO = CheckKind.MEASUREMENT.value, CheckKind.PHOTO.value
_PLANS = (  # sku, made or received, each n-th, sample, instructions, checks
    (
        "GIFT-SET",
        InspectionOf.OUTPUT,
        1,
        "2",
        "Open two boxes of the batch. Weigh them closed, with the ribbon.",
        (
            CheckSpec("Both candles are there and the right way up"),
            CheckSpec("Labels straight, ribbon tied"),
            CheckSpec("Weight of the closed box", _MEASURED, "g", Decimal(880), Decimal(960)),
            CheckSpec("Photo of an open box", _PHOTO, is_required=False),
        ),
    ),
    (
        "LID-220",
        InspectionOf.RECEIPT,
        1,
        "5",
        "",
        (
            CheckSpec("No dents, no scratches"),
            CheckSpec("Inner diameter", _MEASURED, "mm", Decimal("69.6"), Decimal("70.4")),
        ),
    ),
    ("BOX-GIFT", InspectionOf.RECEIPT, 3, None, "", (CheckSpec("Dry and flat"),)),
)


def ensure_quality(actor: Actor) -> None:
    """Plans, deliveries and a verdict, once."""
    planner, operator = (User.objects.get(username=name) for name in ("planner", "operator"))
    for sku, applies_to, every_nth, sample, instructions, checks in _PLANS:
        if not InspectionPlan.objects.filter(item__sku=sku, applies_to=applies_to).exists():
            save_inspection_plan(
                item=item(sku),
                applies_to=applies_to,
                checks=checks,
                every_nth=every_nth,
                sample_quantity=None if sample is None else Decimal(sample),
                instructions=instructions,
                actor=planner,
            )
    _receive("lids-inspected", "LID-220", "500", "95.00", days=3, actor=actor)
    _receive("gift-boxes-waiting", "BOX-GIFT", "50", "31.00", days=1, actor=actor)
    _judge_lids(operator)
    _rework_lids(operator)
    report_problem(
        key=key_of("scale-drifts"),
        title="The scale at the pouring bench drifts",
        words="It shows 4 g more after an hour. I set it to zero before each batch until it is repaired.",
        about="Pouring bench",
        actor=operator,
    )
    report_standing()


def _receive(step: str, sku: str, quantity: str, value: str, *, days: int, actor: Actor) -> None:
    if not is_done(step):
        receive_stock(
            key=key_of(step),
            lines=[
                ReceiptLine(
                    item=item(sku),
                    location=place(STORE),
                    quantity=Decimal(quantity),
                    value=Decimal(value),
                    status=StockStatus.QC_HOLD,
                )
            ],
            effective_at=days_ago(days),
            reference="Delivery note 8841" if sku == "LID-220" else "Delivery note 207",
            actor=actor,
        )


def _judge_lids(operator: User) -> None:
    """Of 500 lids 30 have a dented rim and 10 are crushed."""
    key = key_of("lids-judged")
    if InspectionVerdict.objects.filter(key=key).exists():
        return
    lids = item("LID-220")
    receipt = posting_of("lids-inspected")
    goods = next((one for one in held_goods(HeldQuestion(item_ids=[lids.pk])) if one.posting_id == receipt.pk), None)
    if goods is None or goods.plan is None:  # somebody decided or ended the plan meanwhile
        return
    dents, width = goods.plan.checks.order_by("position")
    widths = ("70.1", "69.9", "70.0", "70.6", "70.2")
    decide_inspection(
        key=key,
        handle=goods.pk,
        outcomes=[
            Outcome(Disposition.RELEASE, Decimal(440)),
            Outcome(Disposition.SCRAP, Decimal(10), "Crushed"),
            Outcome(Disposition.REWORK, Decimal(20), "Rim to be straightened"),
            Outcome(Disposition.QUARANTINE, Decimal(30), "Too wide, to be shown to the supplier"),
        ],
        findings=[
            Finding(dents.pk, is_ok=False),
            *(Finding(width.pk, sample=n, measured=Decimal(mm)) for n, mm in enumerate(widths, start=1)),
        ],
        note="One carton fell off the pallet.",
        actor=operator,
    )


def _rework_lids(operator: User) -> None:
    """The 20 lids with a dented rim are straightened: 8 are, and wait to be inspected again, one cracked."""
    decisions = InspectionDecision.objects.standing().select_related("verdict__inspection")
    sent = decisions.filter(verdict__key=key_of("lids-judged"), disposition=Disposition.REWORK).first()
    if sent is None or ReworkOrder.objects.filter(decision=sent).exists():
        return
    inspection = sent.verdict.inspection
    order = open_rework(
        item=inspection.item,
        lot=inspection.lot,
        location=inspection.location,
        status=StockStatus.QUARANTINE,
        quantity=sent.quantity,
        work="Straighten the rim over the mandrel, then wipe",
        source_location=inspection.location,
        minutes=Decimal(40),
        rate_per_hour=Decimal(21),
        due_on=timezone.localdate() + timedelta(days=2),
        decision=sent,
        actor=operator,
    )
    rework(
        key=key_of("lids-straightened"),
        order=order,
        good=Decimal(8),
        scrapped=Decimal(1),
        scrap_reason="Cracked",
        actor=operator,
    )
