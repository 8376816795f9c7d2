"""The product's own addresses, and one that does nothing: what a request costs before any work is done."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt


@csrf_exempt
@login_not_required
def do_nothing(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    return JsonResponse({"done": "nothing"}, status=201)


urlpatterns = [path("bench/nothing/", do_nothing), path("", include("config.urls"))]
