"""What changed between two moments, and why."""

from collections.abc import Iterator
from urllib.parse import urlencode

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from inventory.filters import WITHOUT_REASON
from inventory.forms.moments import ChangesFilter
from inventory.reads.changes_by_cause import Cause, Comparison, changes_by_cause, total_value
from inventory.reads.changes_by_reason import ReasonSum, changes_by_reason, value_of
from inventory.reads.moments import Basis
from inventory.web import Cell, Crumb, export_table, render_page

EXPORT_HEADER = ["Cause", "Movements", "Quantity", "Value, known part", "Moved without a known cost"]


@require_GET
@permission_required("inventory.view_movement", raise_exception=True)
def changes(request: HttpRequest) -> HttpResponseBase:
    """The two moments; the causes come by themselves afterwards, since adding up a year of a large ledger takes its time."""
    chosen = ChangesFilter(request)
    if request.GET.get("export") and _is_asked(chosen):
        download = export_table(
            request.GET["export"], name="What changed", header=EXPORT_HEADER, rows=_export_rows(_compare(chosen))
        )
        if download is not None:
            return download
    return render_page(
        request,
        "inventory/changes.html",
        part={"changes": "inventory/_changes.html"},
        title="What changed",
        crumbs=[Crumb("Valuation", reverse("inventory:valuation"))],
        chosen=chosen,
        is_asked=_is_asked(chosen),
        bases=Basis.choices,
        causes_url=f"{reverse('inventory:causes_of_change')}?{request.GET.urlencode()}",
    )


@require_GET
@permission_required("inventory.view_movement", raise_exception=True)
def causes_of_change(request: HttpRequest) -> HttpResponse:
    """Opening, causes, closing; each cause opens the ledger at its rows."""
    chosen = ChangesFilter(request)
    found = _compare(chosen) if _is_asked(chosen) else None
    reasons = changes_by_reason(first=found.first, second=found.second, item=found.item) if found else []
    return render_page(
        request,
        "inventory/causes_of_change.html",
        part="inventory/_causes_of_change.html",
        title="Causes",
        crumbs=[Crumb("What changed", f"{reverse('inventory:changes')}?{request.GET.urlencode()}")],
        chosen=chosen,
        found=found,
        causes=[(cause, _ledger_url(cause, found)) for cause in found.causes] if found else [],
        late=[(cause, _ledger_url(cause, found)) for cause in found.late] if found else [],
        late_value=total_value(found.late) if found else None,
        reasons=[(one, _reason_url(one, found)) for one in reasons] if found else [],
        reasons_value=value_of(reasons),
    )


def _is_asked(chosen: ChangesFilter) -> bool:
    """Not when it names an item that does not exist."""
    return not chosen.item_text or chosen.item is not None


def _compare(chosen: ChangesFilter) -> Comparison:
    return changes_by_cause(first=chosen.first, second=chosen.second, item=chosen.item, basis=chosen.basis)


def _ledger_url(cause: Cause, found: Comparison) -> str:
    """The ledger at exactly the movements of a cause."""
    query = {"kind": cause.kind}
    if found.item is not None:
        query["item"] = found.item.sku
    if cause.undoes:
        query["undoes"] = cause.undoes
    if cause.way:
        query["way"] = cause.way
    query["happened_until" if cause.is_late else "happened_after"] = found.first.isoformat()
    if cause.is_late:
        query["recorded_after"] = found.first.isoformat()
    if found.basis == Basis.KNOWN_THEN:
        query["recorded_until"] = found.second.isoformat()
    elif not cause.is_late:
        query["happened_until"] = found.second.isoformat()
    return f"{reverse('inventory:ledger')}?{urlencode(query)}"


def _reason_url(one: ReasonSum, found: Comparison) -> str:
    """The ledger at the movements of a kind and reason between the two moments."""
    query = {
        "kind": one.kind,
        "reason": one.reason or WITHOUT_REASON,
        "happened_after": found.first.isoformat(),
        "happened_until": found.second.isoformat(),
    }
    if found.item is not None:
        query["item"] = found.item.sku
    return f"{reverse('inventory:ledger')}?{urlencode(query)}"


def _export_rows(found: Comparison) -> Iterator[list[Cell]]:
    is_one = found.item is not None
    believed = found.basis == Basis.KNOWN_THEN
    words = "as then believed" if believed else "as it was"
    yield _side(f"Stock on {_text(found.first)}, {words}", found.opening.quantity, found.opening.known_value, is_one)
    for cause in (*found.causes, *(found.late if believed else ())):
        yield _cause(cause, is_one)
    yield _side(f"Stock on {_text(found.second)}, {words}", found.closing.quantity, found.closing.known_value, is_one)
    if not believed:
        for cause in found.late:
            yield _cause(cause, is_one)


def _side(label: str, quantity: Cell, value: Cell, is_one: bool) -> list[Cell]:
    return [label, None, quantity if is_one else None, value, None]


def _cause(cause: Cause, is_one: bool) -> list[Cell]:
    late = "Recorded later: " if cause.is_late else ""
    quantities = (cause.quantity, cause.unknown_quantity) if is_one else (None, None)
    return [f"{late}{cause.label}", cause.movements, quantities[0], cause.value, quantities[1]]


def _text(moment: object) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M}"  # type: ignore[arg-type]
