"""Files of BOM versions over REST: bodies are JSON, so what a file contains goes as base64."""

import binascii
from base64 import b64decode, b64encode
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.api.fields import Body, IdOut, MomentOut, Text, TextOut, Whole
from inventory.api.filters import Filters, IdFilter
from inventory.api.idempotency import Reply
from inventory.api.parsing import BODY_BYTES_MAX
from inventory.api.references import find_one
from inventory.api.resources import Endpoint, ListOne, Resource
from production.attachments import KINDS, NAME_CHARS_MAX
from production.models import Bom, BomAttachment
from production.operations.bom_files import attach_file, remove_file


class BomFileSerializer(serializers.Serializer[Any]):
    """A drawing, a photo or a sheet of a version; what it contains is at `content/`."""

    id = IdOut()
    bom_id = IdOut()
    name = TextOut()
    content_type = TextOut()
    size_bytes = IdOut()
    uploaded_at = MomentOut()


class BomFileContentSerializer(serializers.Serializer[Any]):
    id = IdOut()
    name = TextOut()
    content_type = TextOut()
    content = TextOut(help_text="Base64.")


class BomFileInputSerializer(Body):
    bom_id = Whole(minimum=1, help_text="A draft.")
    name = Text(length_max=NAME_CHARS_MAX, help_text=f"With its ending: {KINDS}.")
    content = Text(
        length_max=BODY_BYTES_MAX,
        trim_whitespace=False,
        help_text="Base64. Larger files than fit into a body are attached on the page of the draft.",
    )


class BomFileFilter(Filters):
    bom_id = IdFilter(field_name="bom_id")

    class Meta:
        model = BomAttachment
        fields: list[str] = []


class BomFileResource(ListOne, Resource):
    """Files of BOM versions. They are attached to drafts and taken away from drafts; copies of a version show them too."""

    queryset = BomAttachment.objects.select_related("bom__item")
    filterset_class = BomFileFilter
    endpoints = {
        "list": Endpoint("production.view_bom", BomFileSerializer),
        "retrieve": Endpoint("production.view_bom", BomFileSerializer),
        "create": Endpoint(
            "production.change_bom", BomFileSerializer, BomFileInputSerializer, status=201, is_keyed=True
        ),
        "destroy": Endpoint("production.change_bom", status=204),
        "content": Endpoint("production.view_bom", BomFileContentSerializer),
    }

    def create(self, request: Request) -> HttpResponse:
        """Attach a file to a draft. What it contains decides what it is, and its name must agree."""

        def work(key: UUID) -> Reply:  # noqa: ARG001  the stored answer is what makes it repeatable
            values = self.values()
            bom = find_one(Bom, "id", where=("bom_id",), name=values["bom_id"], what="BOM version")
            try:
                content = b64decode(values["content"], validate=True)
            except (binascii.Error, ValueError):
                raise ValidationError({"content": ["This is not base64. Encode the file and send it again."]}) from None
            return self.reply(attach_file(bom=bom, name=values["name"], content=content, actor=request.user))

        return self.answer_once(request, work)

    def destroy(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Take a file away from a draft."""
        remove_file(attachment=self.get_object(), actor=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @action(detail=True, methods=["get"])
    def content(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """What a file contains."""
        found: BomAttachment = self.get_object()
        try:
            with found.file.open("rb") as file:
                content = b64encode(file.read()).decode()
        except FileNotFoundError:
            raise NotFound(f"{found.name} is no longer stored.") from None
        return self.answer({"id": found.pk, "name": found.name, "content_type": found.content_type, "content": content})
