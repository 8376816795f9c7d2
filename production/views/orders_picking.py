"""Fetching components for a work order: the pick list, issuing what was fetched, and bringing back what is left."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from inventory.errors import DomainError
from inventory.models import Item, Location, Lot, Posting, Reservation
from inventory.quantities import ZERO
from inventory.web import Crumb, add_refusal, go_to, key_from, render_page
from production.forms import new_key, own_places
from production.models import WorkOrder
from production.operations.issuing_components import IssueLine, issue_components, return_components
from production.order_forms import IssueForm, ReturnForm, stock_quantity
from production.reads.order_needs import issued_to
from production.reads.pick_list import PickRow, pick_list
from production.typed import read_quantity
from production.views.orders_page import find_order


@require_http_methods(["GET", "POST"])
@permission_required("production.view_workorder", raise_exception=True)
def pick_order(request: HttpRequest, number: str) -> HttpResponse:
    """What to fetch, place by place; ticked rows are issued to the floor of the order."""
    order = find_order(number)
    found = pick_list(order)
    places = own_places()
    floor = order.floor_location or _usual_floor(places.values())
    initial = {"key": new_key(), "floor": floor.code if floor else ""}
    form = IssueForm(request.POST if request.method == "POST" else None, initial=initial, places=places)
    ticked = {row.key for row in found.rows} & set(request.POST.getlist("row"))
    typed = {row.key: request.POST.get(f"quantity-{row.key}", "") for row in found.rows}
    problems: dict[str, str] = {}
    if request.method == "POST":
        if not request.user.has_perm("inventory.transfer_stock"):  # seeing the list needs less than issuing from it
            raise PermissionDenied
        if _is_posted(request):
            return go_to(request, "production:work_order", number, message=f"That was issued to {number} already")
        lines = _lines(found.rows, ticked, typed, problems)
        if form.is_valid() and not problems:
            try:
                result = issue_components(
                    key=form.cleaned_data["key"],
                    work_order=order,
                    lines=lines,
                    floor=form.cleaned_data["floor"],
                    actor=request.user,
                )
            except DomainError as error:
                add_refusal(form, error, field="floor" if "floor" in error.message else None)
            else:
                return go_to(
                    request,
                    "production:work_order",
                    number,
                    message=f"Issued {len(lines)} line{'' if len(lines) == 1 else 's'} to {number} · posting "
                    f"{result.posting.pk}",
                )
    rows = [(row, row.key in ticked, typed[row.key], problems.get(row.key, "")) for row in found.rows]
    return render_page(
        request,
        "production/order_pick.html",
        title=f"Pick list of {number}",
        crumbs=_crumbs(order),
        form=form,
        status=422 if problems or (form.is_bound and form.errors) else 200,
        order=order,
        rows=rows,
        found=found,
        printed_at=timezone.now(),
        can_issue=order.is_open and request.user.has_perm("inventory.transfer_stock"),
    )


@require_http_methods(["GET", "POST"])
@permission_required("inventory.transfer_stock", raise_exception=True)
def return_to_stock(request: HttpRequest, number: str) -> HttpResponse:
    """Bring components that were issued to an order back to a shelf."""
    order = find_order(number)
    held = issued_to(order)
    places = own_places()
    initial = {"key": new_key(), "target": order.source_location.code if order.source_location else ""}
    form = ReturnForm(request.POST if request.method == "POST" else None, initial=initial, places=places)
    typed = {str(row.pk): request.POST.get(f"quantity-{row.pk}", "") for row in held}
    problems: dict[str, str] = {}
    if request.method == "POST":
        if _is_posted(request):
            return go_to(request, "production:work_order", number, message=f"That was returned from {number} already")
        lines = _returned(held, typed, problems)
        if form.is_valid() and not problems:
            try:
                return_components(
                    key=form.cleaned_data["key"],
                    work_order=order,
                    lines=lines,
                    target=form.cleaned_data["target"],
                    actor=request.user,
                )
            except DomainError as error:
                add_refusal(form, error, field="target" if error.code == "LOCATION_BLOCKED" else None)
            else:
                where = form.cleaned_data["target"].code
                return go_to(request, "production:work_order", number, message=f"Returned from {number} to {where}")
    rows = [(row, typed[str(row.pk)], problems.get(str(row.pk), "")) for row in held]
    return render_page(
        request,
        "production/order_return.html",
        title=f"Return components of {number}",
        crumbs=_crumbs(order),
        form=form,
        status=422 if problems or (form.is_bound and form.errors) else 200,
        order=order,
        rows=rows,
    )


def _is_posted(request: HttpRequest) -> bool:
    """Whether this very form was sent before: what it names is no longer on the list then."""
    return Posting.objects.filter(key=key_from(request)).exists()


def _crumbs(order: WorkOrder) -> list[Crumb]:
    return [
        Crumb("Work orders", reverse("production:work_orders")),
        Crumb(order.number, reverse("production:work_order", args=[order.number])),
    ]


def _usual_floor(places: Iterable[Location]) -> Location | None:
    """A place whose stock is not for sale, when there is only one; components on the floor are not."""
    found = [place for place in places if not place.is_sellable and not place.is_blocked]
    return found[0] if len(found) == 1 else None


def _lines(
    rows: Sequence[PickRow], ticked: set[str], typed: dict[str, str], problems: dict[str, str]
) -> list[IssueLine]:
    """Ticked rows by component and place, with their lots; an empty quantity means all of the row."""
    lots = Lot.objects.in_bulk([row.lot_id for row in rows if row.key in ticked])
    lines = []
    for row in rows:
        if row.key in ticked:
            quantity = _quantity(typed[row.key], row.component, row.quantity, row.key, problems)
            if quantity > ZERO:
                lines.append(IssueLine(row.component, quantity, [(lots[row.lot_id], quantity)], row.place))
    return lines


def _returned(held: Sequence[Reservation], typed: dict[str, str], problems: dict[str, str]) -> list[IssueLine]:
    """What goes back, by component, with its lots."""
    lots: dict[int, list[tuple[Lot, Decimal]]] = {}
    items: dict[int, Item] = {}
    for row in held:
        if not typed[str(row.pk)].strip():
            continue
        quantity = _quantity(typed[str(row.pk)], row.item, ZERO, str(row.pk), problems)
        if quantity > ZERO and row.lot is not None:
            items[row.item_id] = row.item
            lots.setdefault(row.item_id, []).append((row.lot, quantity))
    return [IssueLine(items[pk], sum((q for _, q in found), ZERO), found) for pk, found in lots.items()]


def _quantity(text: str, item: Item, usual: Decimal, key: str, problems: dict[str, str]) -> Decimal:
    if not text.strip():
        return usual
    try:
        return stock_quantity(read_quantity(text), item)
    except DomainError as error:
        problems[key] = error.message
    except ValidationError as error:
        problems[key] = error.messages[0]
    return ZERO
