"""Lots: where they came from, what they became, and stopping them."""

import re
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from inventory.api.fields import (
    ID_MAX,
    Body,
    Choice,
    ChoiceOut,
    DecimalOut,
    Described,
    Flag,
    FlagOut,
    IdOut,
    MomentOut,
    Schema,
    Text,
    TextOut,
    Whole,
    WordsOut,
    optional_text,
)
from inventory.api.idempotency import Reply
from inventory.api.resources import Endpoint
from inventory.api.serializers import LotSerializer, PostingSerializer, StockSerializer
from inventory.api.stock import POSTINGS, LotResource
from inventory.models import Lot, PostingKind, StockStatus
from inventory.operations.quarantining import quarantine_lots
from inventory.reads.genealogy import Genealogy, genealogy
from inventory.reads.lot_ends import lot_ends
from inventory.reads.recall import RECALL_LOTS_MAX, recall

DIRECTIONS = (("forward", "What it went into"), ("backward", "What went into it"))


class LotIds(Described):
    """Ids with commas between them: `17,18`."""

    default_error_messages = {"form": "Give up to {most} ids of lots with commas between them, such as 17,18."}
    described: Schema = {"type": "string", "pattern": r"^[0-9]{1,18}(,[0-9]{1,18})*$", "maxLength": 4000}

    def to_internal_value(self, data: Any) -> list[int]:
        if not isinstance(data, str) or len(data) > 4000 or not re.fullmatch("[0-9]{1,18}(,[0-9]{1,18})*", data):
            self.fail("form", most=RECALL_LOTS_MAX)
        ids = [int(word) for word in data.split(",")]
        if len(ids) > RECALL_LOTS_MAX:
            self.fail("form", most=RECALL_LOTS_MAX)
        return ids


class GenealogyQuerySerializer(Body):
    direction = Choice(DIRECTIONS, required=False, default="forward")


class RecallQuerySerializer(Body):
    lots = LotIds(help_text="Ids of the lots to begin with.")


class ReachedLotSerializer(serializers.Serializer[Any]):
    """A lot that was reached. Not certain: goods without lots lie between."""

    lot = LotSerializer(read_only=True)
    level = IdOut(help_text="How many completions or changes of lot away.")
    is_certain = FlagOut()


class GenealogyStepSerializer(serializers.Serializer[Any]):
    """What one posting took of one lot and made of another, net of its reversals, in the stock unit of each."""

    posting_id = IdOut()
    kind = ChoiceOut(PostingKind.choices)
    source_id = IdOut(help_text="Lot that was used.")
    target_id = IdOut(help_text="Lot that was made.")
    taken = DecimalOut()
    made = DecimalOut()


class LotEndSerializer(serializers.Serializer[Any]):
    """What one posting brought of a lot from outside (positive) or took of it for good (negative)."""

    lot_id = IdOut()
    posting_id = IdOut()
    kind = ChoiceOut(PostingKind.choices)
    reference = TextOut()
    demands = WordsOut(help_text="Whom it went to: what was named with the shipment, else whom it was reserved for.")
    supplier = TextOut()
    effective_at = MomentOut()
    quantity = DecimalOut()


class GenealogySerializer(serializers.Serializer[Any]):
    """The family of a lot. Cut: there is more than is followed at once."""

    direction = ChoiceOut(DIRECTIONS)
    is_cut = FlagOut()
    lots = ReachedLotSerializer(many=True, read_only=True)
    steps = GenealogyStepSerializer(many=True, read_only=True)
    ends = LotEndSerializer(many=True, read_only=True)


class RecallSerializer(serializers.Serializer[Any]):
    """Everything that lots went into: stock by place, completions, and how it left."""

    is_cut = FlagOut()
    lots = ReachedLotSerializer(many=True, read_only=True)
    stock = StockSerializer(many=True, read_only=True)
    steps = GenealogyStepSerializer(many=True, read_only=True)
    shipments = LotEndSerializer(many=True, read_only=True)
    others = LotEndSerializer(many=True, read_only=True)


class QuarantineSerializer(Body):
    """Lots whose stock is to be stopped everywhere at once."""

    lots = serializers.ListField(
        child=Whole(minimum=1, maximum=ID_MAX), allow_empty=False, max_length=1_000, help_text="Ids of the lots."
    )
    reason = Text(length_max=100)
    release_reserved = Flag(
        required=False, default=False, help_text="Let go of promises of these lots; needs the right to change them."
    )
    reference = optional_text(100)
    note = optional_text(500)


class CellLeftSerializer(serializers.Serializer[Any]):
    """Stock on the road that stays as it is until it arrives."""

    lot_id = IdOut()
    location_id = IdOut()
    status = ChoiceOut(StockStatus.choices)
    quantity = DecimalOut()


class QuarantinedSerializer(serializers.Serializer[Any]):
    posting = PostingSerializer(read_only=True)
    released = DecimalOut(help_text="Promises that were let go of, summed over items.")
    on_the_road = CellLeftSerializer(many=True, read_only=True)


class TracedLotResource(LotResource):
    """Batches and serial numbers. Lots are made by receiving them and by completions."""

    endpoints = {
        **LotResource.endpoints,
        "genealogy": Endpoint("inventory.view_lot", GenealogySerializer, query=GenealogyQuerySerializer),
        "recall": Endpoint("inventory.view_lot", RecallSerializer, query=RecallQuerySerializer),
        "quarantine": Endpoint(
            "inventory.change_stock_status", QuarantinedSerializer, QuarantineSerializer, status=201, is_keyed=True
        ),
    }

    @action(detail=True, methods=["get"])
    def genealogy(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """What a lot went into, or what went into it, through any number of levels."""
        direction = self.parameters()["direction"]
        lot: Lot = self.get_object()
        found = genealogy(lots=[lot.pk], direction=direction)
        ends = lot_ends(lots=[node.lot for node in found.nodes.values()])
        wanted = [end for end in ends if (end.quantity < 0) == (direction == "forward")]
        return self.answer({**_family(found), "direction": direction, "ends": wanted})

    @action(detail=False, methods=["get"])
    def recall(self, request: Request) -> Response:  # noqa: ARG002
        """Everything that one or several lots went into, where it is and how it left."""
        ids = self.parameters()["lots"]
        _existing(ids)
        found = recall(lots=ids)
        return self.answer(
            {
                **_family(found.found),
                "lots": found.nodes,
                "stock": found.cells,
                "shipments": found.shipments,
                "others": found.other_ends,
            }
        )

    @action(detail=False, methods=["post"])
    def quarantine(self, request: Request) -> HttpResponse:
        """Put all stock of lots into quarantine, wherever it lies; all of it or nothing."""

        def work(key: UUID) -> Reply:
            values = self.values()
            if values["release_reserved"] and not request.user.has_perm("inventory.change_reservation"):
                raise PermissionDenied("You may not let go of promises. Leave release_reserved out.")
            lots = _existing(values.pop("lots"))
            result = quarantine_lots(key=key, lots=lots, actor=request.user, **values)
            answer = {
                "posting": POSTINGS.get(pk=result.posting.pk),
                "released": result.released,
                "on_the_road": result.on_the_road,
            }
            return self.reply(answer, replayed=result.replayed)

        return self.answer_once(request, work)


def _family(found: Genealogy) -> dict[str, Any]:
    return {"is_cut": found.is_cut, "lots": list(found.nodes.values()), "steps": found.edges}


def _existing(ids: list[int]) -> list[Lot]:
    lots = Lot.objects.select_related("item").in_bulk(ids)
    missing = [str(one) for one in ids if one not in lots]
    if missing:
        raise ValidationError({"lots": [f"There is no lot with id {', '.join(missing)}. Check it."]})
    return list(lots.values())
