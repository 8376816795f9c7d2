"""Letting go of what is promised."""

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_POST

from inventory.errors import DomainError
from inventory.models import Reservation
from inventory.operations.pinning import release_reservation
from inventory.templatetags.figures import grouped
from inventory.web import go_to, safe_next


@require_POST
@permission_required("inventory.change_reservation", raise_exception=True)
def release(request: HttpRequest, pk: int) -> HttpResponse:
    """Free what one reservation holds, with a reason, and go back to the item."""
    reservation = get_object_or_404(Reservation.objects.select_related("item"), pk=pk)
    item = reservation.item
    back = safe_next(request, reverse("inventory:item", args=[item.pk]))
    try:
        freed = release_reservation(
            reservation=reservation, reason=request.POST.get("reason", "")[:100], actor=request.user
        )
    except DomainError as error:
        return go_to(request, back, message=error.message)
    if not freed:
        return go_to(request, back, message=f"{reservation.demand.capitalize()} holds nothing of it any more.")
    message = f"Freed {grouped(freed)} {item.stock_unit} of {item.sku} that {reservation.demand} held"
    return go_to(request, back, message=message)
