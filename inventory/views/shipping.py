"""Shipping goods to a customer: several lines, all or none."""

from typing import Any

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.views.decorators.http import require_http_methods

from inventory.errors import DomainError
from inventory.forms.lines import LinesForm
from inventory.forms.shipping import ShipForm, promised_lines
from inventory.forms.stock import effective_at_of
from inventory.models import PostingKind
from inventory.operations.shipping import ShipmentLine, ShipmentResult, ship_stock
from inventory.templatetags.figures import money
from inventory.views.actions import link_to, recent_postings
from inventory.web import Crumb, add_refusal, go_to, render_page


@require_http_methods(["GET", "POST"])
@permission_required("inventory.ship_stock", raise_exception=True)
def ship(request: HttpRequest) -> HttpResponse:
    """The form, refreshed when something in it changed, or the shipment it describes and the next form."""
    assert request.user.is_authenticated
    form = shown_form(request, ShipForm)
    assert isinstance(form, ShipForm)
    promised = promised_lines(form.demand) if form.demand else ()
    if promised and "fill" in request.POST:
        form = ShipForm(initial=form.initial, user=request.user, prepared=promised)
    if is_submitted(request) and form.is_valid():
        try:
            result = _ship(request, form)
        except DomainError as error:
            add_refusal(form, error, field=None)
        else:
            undo = ""
            if request.user.has_perm("inventory.reverse_posting"):
                undo = reverse("inventory:undo_posting", args=[result.posting.pk])
            again = f"{reverse('inventory:ship')}?location={form.cleaned_data['location'].code}"
            return go_to(request, again, message=_message(form, result), undo=undo)
    return lines_page(
        request,
        form,
        title="Ship goods",
        verb="Ship",
        icon="local_shipping",
        url=reverse("inventory:ship"),
        help_text="Goods that leave to a customer, all lines or none. What is promised to an order is used up with them.",
        promised=promised if not form.lines else (),
        recent=[] if "HX-Request" in request.headers else recent_postings(PostingKind.SHIPMENT),
    )


def _ship(request: HttpRequest, form: ShipForm) -> ShipmentResult:
    data = form.cleaned_data
    lines = [
        ShipmentLine(
            item=line.cleaned_data["item"],
            location=data["location"],
            quantity=line.cleaned_data["quantity"],
            lots=line.chosen_lots(),
        )
        for line in form.lines
    ]
    return ship_stock(
        key=data["key"],
        lines=lines,
        actor=request.user,
        demand=form.demand,
        shelf_life_days_min=data["shelf_life_days_min"] or 0,
        may_go_below=bool(data.get("may_go_below")),
        effective_at=effective_at_of(data),
        reference=data["reference"],
        reason=data["reason"],
        note=data["note"],
    )


def _message(form: ShipForm, result: ShipmentResult) -> str:
    count = len(form.lines)
    what = form.lines[0].cleaned_data["item"].sku if count == 1 else f"{count} lines"
    place = form.cleaned_data["location"].code
    return format_html("Shipped {} from {} · cost {} · {}.", what, place, money(result.value), link_to(result.posting))


# --- What pages with several lines have in common ---------------------------------------------------------------------


def is_submitted(request: HttpRequest) -> bool:
    """Whether the form is to be carried out, and not only shown again with what changed in it."""
    return request.method == "POST" and not {"refresh", "remove", "fill"} & set(request.POST)


def shown_form(request: HttpRequest, form: type[LinesForm]) -> LinesForm:
    """The form as posted; on a first visit with what the address prepares: head fields, and an item with its quantity."""
    if is_submitted(request):
        return form(request.POST, user=request.user)
    if request.method == "POST":
        shown = form(request.POST, user=request.user)
        lines = [{name: line.typed(name) for name in line.fields} for line in shown.lines]
        head = {name: shown.typed(name) for name in shown.fields if shown.typed(name)}
        return form(initial=head, user=request.user, prepared=lines)
    given = {name: str(value) for name, value in request.GET.items() if value}
    line: dict[str, Any] = {name: given.pop(name) for name in ("item", "quantity") if name in given}
    return form(initial=given, user=request.user, prepared=[line] if line.get("item") else ())


def lines_page(request: HttpRequest, form: LinesForm, *, title: str, **context: Any) -> HttpResponse:
    """The page of a form with lines, or the form alone for htmx."""
    more: tuple[str, ...] = getattr(form, "more", ())
    return render_page(
        request,
        "inventory/lines.html",
        part="inventory/_lines.html",
        title=title,
        crumbs=context.pop("crumbs", None) or [Crumb("Stock board", reverse("inventory:board"))],
        form=form,
        head_fields=[form[name] for name in form.fields if name not in (*more, "key")],
        more_fields=[form[name] for name in more if name in form.fields],
        has_status="status" in form.line_form.base_fields,
        **context,
    )
