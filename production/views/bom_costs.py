"""What a version costs: one unit by level and kind, runs of some size, and every component."""

from decimal import Decimal
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from inventory.errors import InvalidQuantity
from inventory.quantities import ZERO, from_text, is_exact
from inventory.web import render_page
from production.costing import KIND_WORDS, CostKind
from production.reads.cost_rollup import as_unit_cost, cost_book, roll_up
from production.reads.run_cost import RUN_MAX, USUAL_RUNS, RunCost, runs_of
from production.reads.structures import load_structures
from production.views.boms import bom_named, crumbs_of, kinds_of, title_of


@require_GET
@permission_required("production.view_bom", raise_exception=True)
def bom_cost(request: HttpRequest, pk: int) -> HttpResponse:
    """What one unit costs by the level at which each part of it enters and by kind, and what it costs in a run."""
    bom = bom_named(pk)
    run, refusal = _asked(request)
    book = cost_book(load_structures(boms=[bom.pk]))
    rollup = roll_up(book, bom.pk)
    runs = runs_of(book, bom.pk, sorted({*USUAL_RUNS, *([run] if run else [])}))
    stack, totals = rollup.cost.stack, rollup.cost.levels
    present = [kind for kind in CostKind if any(level.get(kind) for level in stack)]
    return render_page(
        request,
        "production/bom_cost.html",
        part={"runs": "production/boms/_runs.html"},
        title=f"Cost of {title_of(bom)}",
        crumbs=crumbs_of(bom),
        bom=bom,
        rollup=rollup,
        heads=[KIND_WORDS[kind] for kind in present],
        levels=[
            (
                depth,
                [as_unit_cost(level[kind]) if level.get(kind) else None for kind in present],
                as_unit_cost(totals[depth]),
            )
            for depth, level in enumerate(stack)
        ],
        totals=[value for _, value in kinds_of(rollup)],
        runs=[_shown(one) for one in runs.runs],
        run_asked=run,
        run_text=request.GET.get("run", "").strip()[:40],
        run_refusal=refusal,
        lines=[(line, as_unit_cost(line.unit_cost.value), as_unit_cost(line.cost)) for line in rollup.lines],
    )


def _shown(run: RunCost) -> dict[str, Any]:
    """A run as a row of the table."""
    return {
        "quantity": run.quantity,
        "each": run.each,
        "parts": [
            as_unit_cost(part) for part in (run.components, run.set_up, run.rounding, run.work, -run.by_products)
        ],
        "total": as_unit_cost(run.total),
    }


def _asked(request: HttpRequest) -> tuple[Decimal | None, str]:
    """The size of run somebody asks about, or what is wrong with it."""
    text = request.GET.get("run", "").strip()[:40]
    if not text:
        return None, ""
    try:
        run = from_text(text)
    except InvalidQuantity as error:
        return None, error.message
    if not ZERO < run <= RUN_MAX or not is_exact(run):
        return None, (
            f"A run of {text} cannot be costed. Give a quantity above zero and at most {RUN_MAX:,}, "
            "with at most six decimal places."
        )
    return run, ""
