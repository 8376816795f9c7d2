"""Closed periods: the list, closing the next one, opening the newest again."""

from typing import Any

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.html import format_html
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from inventory.errors import DomainError
from inventory.forms.moments import ClosePeriodForm
from inventory.models import PeriodClose
from inventory.operations.closing import close_period, reopen_period
from inventory.reads.closed_periods import outlook_of, suggested_day
from inventory.templatetags.figures import money
from inventory.web import Crumb, go_to, render_page

LISTED_MAX = 120


@require_GET
@permission_required("inventory.view_periodclose", raise_exception=True)
def periods(request: HttpRequest) -> HttpResponse:
    """Every close, newest first, reopened ones too."""
    return _list(request)


@require_http_methods(["GET", "POST"])
@permission_required("inventory.close_period", raise_exception=True)
def close(request: HttpRequest) -> HttpResponse:
    """Choose a day, see what would be kept and what is unfinished, and close."""
    assert request.user.is_authenticated
    refusal = None
    if request.method == "POST":
        form = ClosePeriodForm(request.POST)
        if form.is_valid():
            try:
                done = close_period(actor=request.user, **form.cleaned_data)
            except DomainError as error:
                refusal = error
            else:
                period = done.period
                message = format_html("{} · {} items, value {}.", str(period), period.items, money(period.known_value))
                return go_to(request, reverse("inventory:periods"), message=message)
    elif request.GET.get("through"):
        form = ClosePeriodForm(request.GET)
        form.is_valid()
    else:
        form = ClosePeriodForm(initial={"through": suggested_day()})
    through = (form.cleaned_data.get("through") if form.is_bound else suggested_day()) if not form.errors else None
    return render_page(
        request,
        "inventory/close_period.html",
        part={"close": "inventory/_close_period.html"},
        title="Close a period",
        crumbs=[Crumb("Closed periods", reverse("inventory:periods"))],
        form=form,
        status=409 if refusal else None,
        refusal=refusal,
        outlook=outlook_of(through) if through else None,
        last=PeriodClose.objects.in_force().first(),
    )


@require_POST
@permission_required("inventory.close_period", raise_exception=True)
def reopen(request: HttpRequest, pk: int) -> HttpResponse:
    """Open the newest closed period again."""
    assert request.user.is_authenticated
    period = get_object_or_404(PeriodClose, pk=pk)
    try:
        reopen_period(period=period, reason=request.POST.get("reason", ""), actor=request.user)
    except DomainError as error:
        return _list(request, refusal=error)
    return go_to(request, reverse("inventory:periods"), message=f"The period through {period.through} is open again.")


def _list(request: HttpRequest, *, refusal: DomainError | None = None) -> HttpResponse:
    found: list[Any] = list(PeriodClose.objects.select_related("closed_by", "reopened_by")[: LISTED_MAX + 1])
    newest = next((period for period in found if period.reopened_at is None), None)
    return render_page(
        request,
        "inventory/periods.html",
        title="Closed periods",
        crumbs=[Crumb("Valuation", reverse("inventory:valuation"))],
        status=409 if refusal else None,
        refusal=refusal,
        periods=found[:LISTED_MAX],
        newest=newest,
    )
