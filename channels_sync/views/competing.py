"""Products that compete for scarce components: what they show against what can be kept, and one slider for each group."""

from __future__ import annotations

from decimal import Decimal

from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from channels_sync.forms.competing import STEP, DivisionForm
from channels_sync.operations.dividing import divide_products
from channels_sync.reads.competing import GROUPS_MAX, PRICE_DAYS, competing_groups
from inventory.errors import DomainError
from inventory.quantities import as_text
from inventory.web import Crumb, go_to, render_page

GROUPS_PER_PAGE = 10


@require_GET
@permission_required("channels_sync.view_allocationpolicy", raise_exception=True)
def competing(request: HttpRequest) -> HttpResponse:
    """All groups, the one with most to lose first."""
    groups = competing_groups()
    page = Paginator(groups, GROUPS_PER_PAGE).get_page(request.GET.get("page"))
    return render_page(
        request,
        "channels_sync/competing.html",
        title="Competing products",
        crumbs=[Crumb("Allocation rules", reverse("channels_sync:policies"))],
        page_object=page,
        groups=list(page.object_list),
        is_cut=len(groups) == GROUPS_MAX,
        groups_max=GROUPS_MAX,
        price_days=PRICE_DAYS,
        step=STEP,
    )


@require_http_methods(["GET", "POST"])
@permission_required("channels_sync.view_allocationpolicy", raise_exception=True)
def competing_group(request: HttpRequest, pk: int) -> HttpResponse:
    """The group with this item. `?percent=` shows what dividing it so far would do; posted, it is the rule of its products."""
    assert request.user.is_authenticated
    is_saved = request.method == "POST"
    if is_saved and not request.user.has_perm("channels_sync.change_allocationpolicy"):
        return HttpResponse(status=403)
    data = request.POST if is_saved else request.GET
    form = DivisionForm(data if "percent" in data else None)
    percent: Decimal | None = form.cleaned_data["percent"] if form.is_valid() else None
    group = next(iter(competing_groups(of_item=pk, percent=percent)), None)
    if group is None:
        if is_saved:
            raise Http404("These products do not compete any more.")
        return go_to(request, "channels_sync:competing", message="These products do not compete any more.")
    problem = " ".join(str(error) for errors in form.errors.values() for error in errors) if form.is_bound else ""
    if is_saved and percent is not None:
        try:
            divide_products(items=[member.item for member in group.members], percent=percent, actor=request.user)
        except DomainError as error:
            problem = error.message
        else:
            words = f"{len(group.members)} products are divided {as_text(percent)} % of the way. Figures follow within seconds."
            return go_to(request, "channels_sync:competing_group", pk, message=words)
    return render_page(
        request,
        "channels_sync/competing_group.html",
        part="channels_sync/_competing.html",
        title=f"{group.members[0].item.sku} and {len(group.members) - 1} more",
        crumbs=[
            Crumb("Allocation rules", reverse("channels_sync:policies")),
            Crumb("Competing products", reverse("channels_sync:competing")),
        ],
        status=422 if problem else 200,
        group=group,
        problem=problem,
        price_days=PRICE_DAYS,
        step=STEP,
    )
