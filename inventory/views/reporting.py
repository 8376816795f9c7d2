"""The page that takes reports of places we do not run."""

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods

from inventory.errors import DomainError
from inventory.filters import LocationChoices
from inventory.forms.reporting import ExternalReportForm
from inventory.models import Location
from inventory.operations.reporting import REPORTING_KINDS, ReportResult, report_external_stock
from inventory.reads.freshness import freshness_of_places
from inventory.web import Crumb, go_to, render_page


@require_http_methods(["GET", "POST"])
@permission_required("inventory.adjust_stock", raise_exception=True)
def report(request: HttpRequest) -> HttpResponse:
    """Take one report; GET shows how old the figures of each such place are."""
    form = ExternalReportForm(request.POST or None)
    if form.is_valid():
        data = form.cleaned_data
        location: Location = data["location"]
        try:
            result = report_external_stock(
                key=data["key"],
                location=location,
                as_of=data["as_of"],
                lines=data["lines"],
                is_complete=data["is_complete"],
                reference=data["reference"],
                actor=request.user,
            )
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            return go_to(request, "inventory:external_stock", message=_message(location, result))
    choices = LocationChoices()
    fresh = freshness_of_places(choices.locations)
    return render_page(
        request,
        "inventory/external_stock.html",
        part={"report": "inventory/_external_stock.html"},
        title="Reported stock",
        crumbs=[Crumb("Stock board", reverse("inventory:board"))],
        form=form if request.method == "POST" else ExternalReportForm(),
        outside=[(place, fresh[place.pk]) for place in choices.locations if place.kind in REPORTING_KINDS],
    )


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
