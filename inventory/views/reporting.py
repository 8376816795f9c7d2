"""The page that takes reports of places we do not run. What one changes is shown before it is taken: on demand, and always
where it changes many items.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods

from inventory.bulk import ITEMS_MIN
from inventory.errors import DomainError
from inventory.filters import LocationChoices
from inventory.forms.reporting import ExternalReportForm
from inventory.importing.running import rehearse
from inventory.models import Location
from inventory.operations.reporting import REPORTING_KINDS, Difference, ReportResult, report_external_stock
from inventory.reads.freshness import freshness_of_places
from inventory.web import Crumb, go_to, render_page

DIFFERENCES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class ReportOutlook:
    """What a report would post, and what that would change elsewhere, a sentence each. Nothing of it is done yet."""

    differences: Sequence[Difference]
    told: Sequence[str]

    @property
    def fingerprint(self) -> str:
        rows = [
            (one.item.pk, one.location.pk, one.lot_code, one.status, one.booked, one.reported)
            for one in self.differences
        ]
        return hashlib.sha256(repr((rows, self.told)).encode()).hexdigest()

    @property
    def largest(self) -> Sequence[Difference]:
        return sorted(self.differences, key=lambda one: -abs(one.quantity))[:DIFFERENCES_SHOWN]


@require_http_methods(["GET", "POST"])
@permission_required("inventory.adjust_stock", raise_exception=True)
def report(request: HttpRequest) -> HttpResponse:
    """Take one report; GET shows how old the figures of each such place are."""
    form = ExternalReportForm(request.POST or None)
    outlook: ReportOutlook | None = None
    if form.is_valid():
        data = form.cleaned_data
        location: Location = data["location"]

        def take() -> ReportResult:
            return report_external_stock(
                key=data["key"],
                location=location,
                as_of=data["as_of"],
                lines=data["lines"],
                is_complete=data["is_complete"],
                reference=data["reference"],
                actor=request.user,
            )

        try:
            if "look" in request.POST or data["is_complete"] or len(data["lines"]) >= ITEMS_MIN:
                outlook = _outlook(take, request.POST)
            if outlook is None:
                return go_to(request, "inventory:external_stock", message=_message(location, take()))
        except DomainError as error:
            form.add_error(None, error.message)
    choices = LocationChoices()
    fresh = freshness_of_places(choices.locations)
    return render_page(
        request,
        "inventory/external_stock.html",
        part={"report": "inventory/_external_stock.html"},
        title="Reported stock",
        crumbs=[Crumb("Stock board", reverse("inventory:board"))],
        form=form if request.method == "POST" else ExternalReportForm(),
        outlook=outlook,
        outside=[(place, fresh[place.pk]) for place in choices.locations if place.kind in REPORTING_KINDS],
    )


def _outlook(take: Callable[[], ReportResult], sent: QueryDict) -> ReportOutlook | None:
    """What a report would do, where somebody asks, or it changes many items and what that does was not shown yet.

    What was shown is named by what it would post and change: when that is another by now, it is shown again.
    """
    result, told = rehearse(take)
    many = len({difference.item for difference in result.differences}) >= ITEMS_MIN
    if result.replayed or not ("look" in sent or many):
        return None
    found = ReportOutlook(result.differences, told)
    return None if sent.get("shown") == found.fingerprint and "look" not in sent else found


def _message(location: Location, result: ReportResult) -> SafeString:
    if result.replayed:
        return format_html("This report of {} was taken before; nothing changed.", location.code)
    left = ""
    if result.unnamed:
        names = ", ".join(result.unnamed[:3])
        more = f" and {len(result.unnamed) - 3} more" if len(result.unnamed) > 3 else ""
        left = f" {names}{more} not named: left as they are, and the place does not count as confirmed."
    if result.posting is None:
        return format_html("{} reports what the book says.{}", location.code, left)
    link = format_html(
        '<a href="{}">{}</a>', reverse("inventory:posting", args=[result.posting.pk]), str(result.posting)
    )
    count = len(result.differences)
    return format_html(
        "{}: {} difference{} posted · {}.{}", location.code, count, "" if count == 1 else "s", link, left
    )
