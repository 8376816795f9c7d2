"""BOM versions: read, written as drafts, activated, compared, and followed up and down."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.api.fields import Nothing
from inventory.api.idempotency import Reply
from inventory.api.references import find_items, find_one
from inventory.api.resources import Endpoint, ListOne, Resource
from inventory.quantities import ZERO
from production.api.bom_content import (
    ActivateReplacementSerializer,
    BomContentSerializer,
    BomCostSerializer,
    ContentInputSerializer,
    CostQuerySerializer,
    DiscardedSerializer,
    DiscardReplacementSerializer,
    ReplaceInputSerializer,
    ReplacementSerializer,
    content_from,
)
from production.api.filters import BomFilter
from production.api.serializers import (
    ActivateSerializer,
    BomDiffSerializer,
    BomLinesSerializer,
    BomSerializer,
    BomSummarySerializer,
    BomTreeSerializer,
    DiffQuerySerializer,
    DraftSerializer,
    TreeQuerySerializer,
    WhereUsedQuerySerializer,
    WhereUsedSerializer,
)
from production.bom_checks import BomLineSpec
from production.models import Bom, BomReplacement
from production.operations.bom_content import write_bom
from production.operations.boms import activate_bom, create_draft, discard_draft, replace_lines, retire_bom
from production.operations.replacing import Exchange, activate_replacement, discard_replacement, replace_component
from production.reads.bom_content import content_of
from production.reads.bom_diff import bom_diff
from production.reads.bom_tree import bom_tree
from production.reads.cost_rollup import cost_book, roll_up
from production.reads.run_cost import RUN_MAX, USUAL_RUNS, runs_of
from production.reads.structures import load_structures
from production.reads.where_used import where_used

WITH_LINES = Bom.objects.select_related("item").prefetch_related("lines__component")


class BomResource(ListOne, Resource):
    """Versions of bills of materials."""

    queryset = Bom.objects.select_related("item")
    filterset_class = BomFilter
    endpoints = {
        "list": Endpoint("production.view_bom", BomSummarySerializer),
        "retrieve": Endpoint("production.view_bom", BomSerializer),
        "create": Endpoint("production.add_bom", BomSerializer, DraftSerializer, status=201, is_keyed=True),
        "destroy": Endpoint("production.delete_bom", status=204),
        "lines": Endpoint("production.change_bom", BomSerializer, BomLinesSerializer),
        "activate": Endpoint("production.activate_bom", BomSerializer, ActivateSerializer),
        "retire": Endpoint("production.activate_bom", BomSerializer, Nothing),
        "diff": Endpoint("production.view_bom", BomDiffSerializer, query=DiffQuerySerializer),
        "tree": Endpoint("production.view_bom", BomTreeSerializer, query=TreeQuerySerializer),
        "content": Endpoint("production.view_bom", BomContentSerializer),
        "write_content": Endpoint("production.change_bom", BomContentSerializer, ContentInputSerializer),
        "cost": Endpoint("production.view_bom", BomCostSerializer, query=CostQuerySerializer),
        "replace": Endpoint(
            "production.add_bom", ReplacementSerializer, ReplaceInputSerializer, status=201, is_keyed=True
        ),
        "activate_replacement": Endpoint(
            "production.activate_bom", ReplacementSerializer, ActivateReplacementSerializer
        ),
        "discard_replacement": Endpoint("production.delete_bom", DiscardedSerializer, DiscardReplacementSerializer),
        "where_used": Endpoint("production.view_bom", WhereUsedSerializer, query=WhereUsedQuerySerializer),
    }

    def get_queryset(self) -> Any:
        return WITH_LINES.all() if self.action == "retrieve" else super().get_queryset()

    def create(self, request: Request) -> HttpResponse:
        """Make a draft, from lines or as a copy of a version."""

        def work(key: UUID) -> Reply:  # noqa: ARG001  the stored answer is what makes it repeatable
            values = self.values()
            (item,) = find_items([(("item",), values.pop("item"))])
            copy_of = values.pop("copy_of")
            source = None
            if copy_of is not None:
                source = find_one(Bom, "id", where=("copy_of",), name=copy_of, what="BOM version")
            draft = create_draft(
                item=item, lines=line_specs(values.pop("lines")), copy_of=source, actor=request.user, **values
            )
            return self.reply(WITH_LINES.get(pk=draft.pk))

        return self.answer_once(request, work)

    def destroy(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Discard a draft."""
        discard_draft(bom=self.get_object(), actor=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @action(detail=True, methods=["put"])
    def lines(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Give a draft these lines instead of the ones it has."""
        bom: Bom = self.get_object()
        values = self.values()
        replace_lines(bom=bom, lines=line_specs(values["lines"]), makes=values["makes"], actor=request.user)
        return self.answer(WITH_LINES.get(pk=bom.pk))

    @action(detail=True, methods=["post"])
    def activate(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Put a draft in force from a day on."""
        bom: Bom = self.get_object()
        values = self.values()
        over = [] if values["over_bom_id"] is None else [values["over_bom_id"]]
        activate_bom(bom=bom, effective_from=values["effective_from"], actor=request.user, over=over)
        return self.answer(WITH_LINES.get(pk=bom.pk))

    @action(detail=True, methods=["post"])
    def retire(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Take an active version out of force."""
        bom: Bom = self.get_object()
        self.values()
        retire_bom(bom=bom, actor=request.user)
        return self.answer(WITH_LINES.get(pk=bom.pk))

    @action(detail=True, methods=["get"])
    def diff(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """What this version changed against another one."""
        bom: Bom = self.get_object()
        against = int(self.parameters()["against"])
        if not Bom.objects.filter(pk=against).exists():
            raise ValidationError({"against": [f"There is no BOM version with id {against}. Check it."]})
        return self.answer(bom_diff(old_id=against, new_id=bom.pk))

    @action(detail=True, methods=["get"])
    def tree(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Every level below this version with quantities, costs and stock."""
        bom: Bom = self.get_object()
        quantity = self.parameters()["quantity"]
        tree = bom_tree(bom_id=bom.pk, quantity=quantity)
        return self.answer({"bom_id": bom.pk, "quantity": quantity, "is_complete": tree.is_complete, "rows": tree.rows})

    @action(detail=True, methods=["get"])
    def content(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """The whole of a version: head, lines with substitutes, by-products and operations."""
        return self.answer(_content(self.get_object()))

    @content.mapping.put
    def write_content(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Give a draft this content instead of what it has, if nobody saved it since the revision named."""
        bom: Bom = self.get_object()
        values = self.values()
        saved = write_bom(bom=bom, content=content_from(values), revision=values["revision"], actor=request.user)
        return self.answer(_content(saved))

    @action(detail=True, methods=["get"])
    def cost(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """What one unit of this version costs, by level, by kind and by component, and what runs of it cost."""
        bom: Bom = self.get_object()
        run = self.parameters()["run"]
        if run is not None and not ZERO < run <= RUN_MAX:
            raise ValidationError({"run": [f"Give a quantity above zero and at most {RUN_MAX:,}."]})
        book = cost_book(load_structures(boms=[bom.pk]))
        found = roll_up(book, bom.pk)
        return self.answer(
            {
                "bom_id": bom.pk,
                "unit_cost": found.unit_cost,
                "own": found.own,
                "by_level": found.by_level,
                "by_kind": found.by_kind,
                "missing": [item.sku for item in found.missing],
                "lines": found.lines,
                "runs": runs_of(book, bom.pk, sorted({*USUAL_RUNS, *([run] if run else [])})).runs,
            }
        )

    @action(detail=False, methods=["post"])
    def replace(self, request: Request) -> HttpResponse:
        """Make drafts of many versions with one component replaced, all or none."""

        def work(key: UUID) -> Reply:  # noqa: ARG001  the stored answer is what makes it repeatable
            values = self.values()
            named = [(("component",), values["component"]), (("replacement",), values["replacement"])]
            component, replacement = find_items(named)
            boms = [
                find_one(Bom, "id", where=("boms", place), name=pk, what="BOM version")
                for place, pk in enumerate(dict.fromkeys(values["boms"]))
            ]
            record = replace_component(
                boms=boms,
                exchange=Exchange(component, replacement, values["factor"]),
                note=values["note"],
                actor=request.user,
            )
            return self.reply(_replacement(record.pk))

        return self.answer_once(request, work)

    @action(detail=False, methods=["post"], url_path="activate-replacement")
    def activate_replacement(self, request: Request) -> Response:
        """Put all drafts of a replacement in force from one day on."""
        values = self.values()
        name = values["replacement"]
        record = find_one(BomReplacement, "id", where=("replacement",), name=name, what="replacement")
        activate_replacement(
            replacement=record,
            effective_from=values["effective_from"],
            actor=request.user,
            over=values["over_bom_ids"],
        )
        return self.answer(_replacement(record.pk))

    @action(detail=False, methods=["post"], url_path="discard-replacement")
    def discard_replacement(self, request: Request) -> Response:
        """Discard all drafts of a replacement that are left."""
        name = self.values()["replacement"]
        record = find_one(BomReplacement, "id", where=("replacement",), name=name, what="replacement")
        return self.answer({"discarded": discard_replacement(replacement=record, actor=request.user)})

    @action(detail=False, methods=["get"], url_path="where-used")
    def where_used(self, request: Request) -> Response:  # noqa: ARG002
        """Which versions use an item, and what needs it further up."""
        (item,) = find_items([(("item",), self.parameters()["item"])])
        uses = where_used(item_id=item.pk)
        return self.answer(
            {"item": item.sku, "item_id": item.pk, "direct": uses.direct, "above": uses.above, "beside": uses.beside}
        )


def line_specs(lines: list[dict[str, Any]]) -> list[BomLineSpec]:
    """Lines of a body as the operations take them. Raises ValidationError for unknown components."""
    components = find_items([(("lines", number, "component"), line["component"]) for number, line in enumerate(lines)])
    return [BomLineSpec(**{**line, "component": component}) for line, component in zip(lines, components, strict=True)]


def _content(bom: Bom) -> dict[str, Any]:
    content = content_of(bom)
    return {
        "bom_id": bom.pk,
        "item": bom.item.sku,
        "version": bom.version,
        "state": bom.state,
        "revision": bom.revision,
        "head": content.head,
        "lines": content.lines,
        "outputs": content.outputs,
        "operations": content.operations,
    }


def _replacement(pk: int) -> BomReplacement:
    return BomReplacement.objects.select_related("component", "replacement").prefetch_related("drafts__item").get(pk=pk)
