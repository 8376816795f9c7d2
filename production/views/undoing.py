"""Taking back a completion, whole or by quantity: what would come back, what stands in the way, and what to do then."""

from decimal import Decimal
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from inventory.errors import DomainError, IdempotencyMismatch, ReversalBlocked
from inventory.models import PostingKind
from inventory.templatetags.figures import grouped
from inventory.web import Crumb, add_refusal, go_to, key_from, render_page, safe_next
from production.forms import UndoForm, new_key, shown
from production.models import Completion, CompletionReversal, Disassembly, Inspection, InspectionDecision
from production.operations.reversal_preview import preview_reversal
from production.operations.reversing import reverse_completion
from production.panels import completion_url
from production.views.completions import completion_named

INSPECTIONS_SHOWN_MAX = 10
PARTS = {"undo-outlook": "production/_undo_outlook.html"}


@require_http_methods(["GET", "POST"])
@permission_required("production.reverse_completion", raise_exception=True)
def undo_completion(request: HttpRequest, pk: int) -> HttpResponse:
    """GET shows what taking it back would do, for all that is left or for `good`; POST does it."""
    done = completion_named(pk)
    if request.method == "GET":
        form = UndoForm(
            {"key": new_key(), "good": request.GET.get("good", ""), "reason": request.GET.get("reason", "")},
            item=done.item,
        )
        form.is_valid()
        return _page(request, done, form, status=200)
    data = request.POST.copy()
    data["key"] = str(key_from(request))
    form = UndoForm(data, item=done.item)
    if form.is_valid():
        try:
            result = reverse_completion(
                key=form.cleaned_data["key"],
                completion=done,
                good=form.cleaned_data["good"],
                reason=form.cleaned_data["reason"],
                actor=request.user,
            )
        except ReversalBlocked:
            form = _renewed(form)
        except IdempotencyMismatch:
            form = _renewed(form)
            form.add_error(None, "This form was used before. Check what is left below and send it again.")
        except DomainError as error:
            form = _renewed(form)
            add_refusal(form, error, field="good" if data.get("good") else None)
        else:
            return go_to(request, safe_next(request, completion_url(done)), message=_undone(done, result.reversal))
    return _page(request, completion_named(pk), form, status=422)


def _page(request: HttpRequest, done: Completion, form: UndoForm, *, status: int) -> HttpResponse:
    """The page with what the form says now, by the code that does it; nothing is kept."""
    good: Decimal | None = form.cleaned_data.get("good") if "good" not in form.errors else None
    plan = preview_reversal(completion=done, actor=request.user, good=good)
    return render_page(
        request,
        "production/undo.html",
        part=PARTS,
        title=f"Undo completion {done.posting_id}",
        crumbs=[
            Crumb("Completions", reverse("production:completions")),
            Crumb(f"Completion {done.posting_id}", completion_url(done)),
        ],
        form=form,
        status=status,
        completion=done,
        plan=plan,
        returnable_text=shown(plan.returnable),
        left_text=shown(plan.good_left),
        blocked_by=_blocked_by(plan.problem),
        inspections=_inspections_in_the_way(plan.problem),
        apart=list(Disassembly.objects.filter(completion=done, is_reversed=False).order_by("-posting_id")[:10]),
        next_url=request.POST.get("next") or request.GET.get("next") or "",
    )


def _blocked_by(problem: DomainError | None) -> Any:
    """What stands in the way, with the kinds of postings in words."""
    if not isinstance(problem, ReversalBlocked):
        return []
    labels = dict(PostingKind.choices)
    blocked: Any = problem.context.get("blocked_by", [])
    return [
        {**one, "used_by": [{**use, "label": labels.get(use["kind"], use["kind"])} for use in one["used_by"]]}
        for one in blocked
    ]


def _inspections_in_the_way(problem: DomainError | None) -> list[Inspection]:
    """Inspections whose verdicts moved what would go back, newest first: they are undone before the completion is."""
    used = [use["posting"] for one in _blocked_by(problem) for use in one["used_by"]]
    if not used:
        return []
    standing = InspectionDecision.objects.standing().filter(posting_id__in=used).values("verdict__inspection_id")
    found = Inspection.objects.filter(pk__in=standing).select_related("item", "lot").order_by("-pk")
    return list(found[:INSPECTIONS_SHOWN_MAX])


def _renewed(form: UndoForm) -> UndoForm:
    """The same form with a key of its own for the next try."""
    data = QueryDict(mutable=True)
    data.update({name: str(value) for name, value in form.data.items()})
    data["key"] = new_key()
    again = UndoForm(data, item=form.item)
    again.is_valid()
    return again


def _undone(done: Completion, reversal: CompletionReversal) -> str:
    quantity = reversal.good or reversal.scrapped
    words = f"Took back {grouped(quantity)} × {done.item.sku} · components returned"
    return f"{words} · {done.work_order.number}" if done.work_order else words
