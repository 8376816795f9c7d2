"""Addresses of the REST API, its OpenAPI document and its reference page."""

from django.contrib.auth.decorators import login_not_required, login_required, permission_required
from django.http import HttpRequest, JsonResponse
from django.urls import include, path, re_path
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerView
from rest_framework.routers import SimpleRouter

from channels_sync.api import urls as channels_api
from config.api import MayReadItems, error_body
from config.api_integrity import AuditEntryResource, InvariantRunResource
from inventory.api import urls as inventory_api
from production.api import urls as production_api

router = SimpleRouter()
for app in (production_api, inventory_api, channels_api):  # addresses are tried in this order
    app.register(router)
router.register("invariant-runs", InvariantRunResource, basename="invariant-runs")
router.register("audit-entries", AuditEntryResource, basename="audit-entries")


@login_not_required
@csrf_exempt
def nothing_here(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    """The answer below /api/v1/ to an address that is none, in the one shape of errors."""
    return JsonResponse(
        error_body("NOT_FOUND", "There is nothing at this address. Addresses end with a slash; see /api/v1/docs/."),
        status=404,
    )


reading = permission_required("inventory.view_item", raise_exception=True)

urlpatterns = [
    path("schema/", SpectacularJSONAPIView.as_view(permission_classes=[MayReadItems]), name="api-schema"),
    path("docs/", login_required(reading(SpectacularSwaggerView.as_view(url_name="api-schema"))), name="api-docs"),
    path("", include(router.urls)),
    re_path(r"^[\s\S]*$", nothing_here),
]
