"""stub"""
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse


@permission_required("channels_sync.view_allocationpolicy", raise_exception=True)
def policy_page(request: HttpRequest, pk: int) -> HttpResponse:
    return HttpResponse("")
