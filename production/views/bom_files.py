"""Files of a version: attached and taken away while it is a draft, read by everybody who may read the BOM."""

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET, require_POST

from inventory.errors import DomainError
from inventory.web import go_to, is_htmx
from production.attachments import BYTES_MAX, SHOWN_IN_PLACE
from production.models import Bom, BomAttachment
from production.operations.bom_files import attach_file, remove_file
from production.views.boms import bom_named

PART = "production/boms/_attachments.html"


@require_GET
@permission_required("production.view_bom", raise_exception=True)
def attachment(request: HttpRequest, pk: int, attachment_pk: int) -> HttpResponseBase:  # noqa: ARG001
    """The file itself. Nothing in it is run: the browser is told its type and to keep to it."""
    found = get_object_or_404(BomAttachment, pk=attachment_pk, bom=pk)
    try:
        file = found.file.open("rb")
    except FileNotFoundError:
        raise Http404(f"{found.name} is no longer stored.") from None
    return FileResponse(
        file,
        as_attachment=found.content_type not in SHOWN_IN_PLACE,
        filename=found.name,
        content_type=found.content_type or "application/octet-stream",
        headers={"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'"},
    )


@require_POST
@permission_required("production.change_bom", raise_exception=True)
def add_attachment(request: HttpRequest, pk: int) -> HttpResponse:
    bom = bom_named(pk)
    upload = request.FILES.get("file")
    refusal = "" if upload is not None else "Choose a file first."
    if upload is not None:
        try:
            content = upload.read(BYTES_MAX + 1)
            attach_file(bom=bom, name=upload.name or "file", content=content, actor=request.user)
        except DomainError as error:
            refusal = error.message
    return _answer(request, bom, refusal)


@require_POST
@permission_required("production.change_bom", raise_exception=True)
def remove_attachment(request: HttpRequest, pk: int, attachment_pk: int) -> HttpResponse:
    bom = bom_named(pk)
    found = get_object_or_404(BomAttachment.objects.select_related("bom__item"), pk=attachment_pk, bom=bom)
    refusal = ""
    try:
        remove_file(attachment=found, actor=request.user)
    except DomainError as error:
        refusal = error.message
    return _answer(request, bom, refusal)


def _answer(request: HttpRequest, bom: Bom, refusal: str) -> HttpResponse:
    """The panel of files alone, so that nothing typed beside it is lost; without htmx the page."""
    if not is_htmx(request):
        target = "production:edit_bom" if bom.is_draft else "production:bom"
        if refusal:
            return go_to(request, target, bom.pk, message=refusal, level=messages.ERROR)
        return go_to(request, target, bom.pk, message="Saved the files.")
    attachments = list(bom.attachments.select_related("uploaded_by").order_by("name", "id"))
    context = {"bom": bom, "attachments": attachments, "file_refusal": refusal}
    return render(request, PART, context, status=422 if refusal else 200)
