"""Inspection plans: the list, and the editor whose rows are typed like a table."""

from typing import Any

from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from inventory.errors import DomainError
from inventory.filters import find_item
from inventory.models import Item
from inventory.web import Crumb, go_to, render_page
from inventory.whole_numbers import whole_number
from production.errors import InvalidPlan
from production.forms_quality import KINDS, InspectionPlanForm
from production.models import InspectionOf, InspectionPlan
from production.operations.inspection_plans import end_inspection_plan, save_inspection_plan, specs_of
from production.views.inspecting import queue_crumb

ROWS_PER_PAGE = 50
VERSIONS_SHOWN_MAX = 20


def _crumbs() -> list[Crumb]:
    return [queue_crumb(), Crumb("Inspection plans", reverse("quality:plans"))]


@require_GET
@permission_required("production.view_inspectionplan", raise_exception=True)
def plans(request: HttpRequest) -> HttpResponse:
    """Plans in force, by item; and items that go to hold without a plan."""
    text = request.GET.get("q", "").strip()[:100]
    found = InspectionPlan.objects.filter(is_active=True).select_related("item", "created_by")
    found = found.annotate(check_count=Count("checks")).order_by("item__sku", "applies_to")
    if text:
        found = found.filter(item__in=Item.objects.matching(text))
    unplanned = Item.objects.active().stocked().filter(inspection_required=True)
    unplanned = unplanned.exclude(inspection_plans__is_active=True).order_by("sku")
    return render_page(
        request,
        "production/quality/plans.html",
        part={"plans": "production/quality/_plans.html"},
        title="Inspection plans",
        crumbs=[queue_crumb()],
        page_object=Paginator(found, ROWS_PER_PAGE).get_page(request.GET.get("page")),
        text=text,
        unplanned=list(unplanned[:20]),
    )


@require_http_methods(["GET", "POST"])
@permission_required("production.add_inspectionplan", raise_exception=True)
def new_plan(request: HttpRequest) -> HttpResponse:
    """Write the first plan for an item."""
    if request.method == "GET":
        wanted = {
            "item": request.GET.get("item", ""),
            "applies_to": request.GET.get("for") or InspectionOf.OUTPUT.value,
        }
        return _editor(request, InspectionPlanForm(initial=wanted), "New inspection plan", reverse("quality:new_plan"))
    form = InspectionPlanForm(request.POST)
    if _is_only_a_row(request, form):
        return _editor(request, form, "New inspection plan", reverse("quality:new_plan"), as_typed=True)
    if form.is_valid():
        data = form.cleaned_data
        known = InspectionPlan.objects.filter(item=data["item"], applies_to=data["applies_to"], is_active=True).first()
        if known is not None:
            form.add_error("item", f"{data['item'].sku} has a plan for this already. Open it and change it there.")
        elif (answer := _save(request, form, data["item"], data["applies_to"])) is not None:
            return answer
    return _editor(request, form, "New inspection plan", reverse("quality:new_plan"))


@require_http_methods(["GET", "POST"])
@permission_required("production.change_inspectionplan", raise_exception=True)
def plan(request: HttpRequest, pk: int) -> HttpResponse:
    """Change a plan: what is saved is its next version; the old one stays with what was inspected by it."""
    found = get_object_or_404(InspectionPlan.objects.select_related("item"), pk=pk)
    title, url = f"Inspection of {found.item.sku}", reverse("quality:plan", args=[pk])
    if request.method == "GET":
        return _editor(request, InspectionPlanForm(plan=found, specs=specs_of(found)), title, url)
    form = InspectionPlanForm(request.POST, plan=found)
    if _is_only_a_row(request, form):
        return _editor(request, form, title, url, as_typed=True)
    if form.is_valid():
        answer = _save(request, form, found.item, found.applies_to)
        if answer is not None:
            return answer
    return _editor(request, form, title, url)


@require_POST
@permission_required("production.delete_inspectionplan", raise_exception=True)
def end_plan(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a plan out of force."""
    found = get_object_or_404(InspectionPlan.objects.select_related("item"), pk=pk)
    end_inspection_plan(plan=found, actor=request.user)
    words = f"The plan of {found.item.sku} has ended. Its goods still go to QC hold and are passed by quantity alone."
    return go_to(request, reverse("quality:plans"), message=words)


def _is_only_a_row(request: HttpRequest, form: InspectionPlanForm) -> bool:
    """Whether a row is added, moved or taken away, and nothing is to be saved."""
    for name, by in (("up", -1), ("down", 1)):
        place = whole_number(request.POST.get(name))
        if place is not None:
            form.move(place, by)
            return True
    number = whole_number(request.POST.get("remove"))
    if number is not None:
        form.rows = [row for place, row in enumerate(form.rows) if place != number]
        return True
    return "add" in request.POST


def _save(request: HttpRequest, form: InspectionPlanForm, item: Item, applies_to: str) -> HttpResponse | None:
    """Put the plan into force; None when it was refused, with the refusal at its rows."""
    data = form.cleaned_data
    try:
        result = save_inspection_plan(
            item=item,
            applies_to=applies_to,
            checks=form.specs(),
            every_nth=data["every_nth"],
            sample_quantity=data["sample_quantity"],
            instructions=data["instructions"],
            actor=request.user,
        )
    except InvalidPlan as error:
        wrong: Any = error.context.get("checks", {})
        for position, words in wrong.items():
            form.rows[int(position) - 1].error = words
        form.add_error(None, error.message)
        return None
    except DomainError as error:
        form.add_error(None, error.message)
        return None
    words = f"Version {result.plan.version} is in force." if result.changed else "Nothing was changed."
    return go_to(request, reverse("quality:plan", args=[result.plan.pk]), message=f"Inspection of {item.sku}: {words}")


def _editor(
    request: HttpRequest, form: InspectionPlanForm, title: str, url: str, *, as_typed: bool = False
) -> HttpResponse:
    plan = form.plan
    item = plan.item if plan is not None else find_item(str(form["item"].value() or ""))
    versions = []
    if plan is not None:
        versions = list(
            InspectionPlan.objects.filter(item=plan.item, applies_to=plan.applies_to)
            .select_related("created_by")
            .order_by("-version")[:VERSIONS_SHOWN_MAX]
        )
    return render_page(
        request,
        "production/quality/plan.html",
        part={"plan": "production/quality/_plan.html"},
        title=title,
        crumbs=_crumbs(),
        form=form,
        status=200 if as_typed else None,
        plan=plan,
        item=item,
        as_typed=as_typed,
        versions=versions,
        is_newest=not versions or versions[0].pk == plan.pk,  # type: ignore[union-attr]
        kinds=KINDS,
        action_url=url,
    )
