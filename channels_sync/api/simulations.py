"""The simulator over the REST API: ask, and read the answer when it is there."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpResponse
from django.utils import timezone
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from channels_sync.allocation.vocabulary import COLUMNS
from channels_sync.api.serializers import TermsBody, channel_reference
from channels_sync.models import AllocationPolicy, Campaign, Channel, Listing, Simulation, SimulationState
from channels_sync.operations.simulating import ask_simulation
from channels_sync.reads.simulations import rule_of, rules_of_campaign
from channels_sync.simulation import ProposedRule, Question, SupplyKind
from channels_sync.simulation.question import (
    ASSUMED_LENGTH,
    DAYS_MAX,
    LATE_MINUTES_MAX,
    PERCENT_MAX,
    SEED_MAX,
    START_NOW,
    STARTS,
    WEEKS_MAX,
)
from channels_sync.tasks import run_simulations, send_message
from inventory.api.fields import (
    Anything,
    Choice,
    ChoiceOut,
    Day,
    IdOut,
    MomentOut,
    TextOut,
    Whole,
    item_reference,
    optional_text,
)
from inventory.api.filters import Filters, MomentFilter, WordFilter
from inventory.api.idempotency import Reply
from inventory.api.references import find_items, find_one
from inventory.api.resources import Endpoint, ListOne, Resource
from inventory.models import ItemCategory

SUPPLIES = tuple(kind.value for kind in SupplyKind)
"""Where new stock comes from; see simulation.case.Supply."""


class SimulationSerializer(serializers.Serializer[Any]):
    """A question to the simulator, and how far it is."""

    id = IdOut()
    title = TextOut()
    state = ChoiceOut(SimulationState.choices)
    question = Anything(read_only=True, help_text="What was asked: rules, weeks, assumptions, seed.")
    progress_done = IdOut(help_text="Items replayed.")
    progress_of = IdOut()
    fingerprint = TextOut(help_text="Of all data that were read. The same question and fingerprint: the same result.")
    problem = TextOut(help_text="Why there is no result.")
    repeats_id = IdOut(allow_null=True)
    created_at = MomentOut()
    finished_at = MomentOut(allow_null=True)


class SimulationDetailSerializer(SimulationSerializer):
    """A question to the simulator with its answer."""

    result = Anything(
        read_only=True,
        allow_null=True,
        help_text="Under `present` and `proposed`: totals, channels and weeks (sold, lost, oversold); the worst items.",
    )


class SimulationInputSerializer(TermsBody):
    """What to try: the terms of a rule and its scope as for policies, or `policy_id`, or `campaign_id`.

    What is replayed: items listed on `of_channels` (none: all), of a category, or one item; all channels of an item take
    part.
    """

    policy_id = Whole(minimum=1, required=False, allow_null=True, default=None, help_text="A stored version to try.")
    campaign_id = Whole(minimum=1, required=False, allow_null=True, default=None, help_text="A campaign to try.")
    title = optional_text(150)
    of_channels = serializers.ListField(child=channel_reference(), required=False, default=list, max_length=50)
    of_category_id = Whole(minimum=1, required=False, allow_null=True, default=None)
    of_item = item_reference(required=False, allow_null=True, default=None)
    weeks = Whole(minimum=1, maximum=WEEKS_MAX, required=False, default=8)
    last_day = Day(required=False, allow_null=True, default=None, help_text="A day that is over; left out: yesterday.")
    demand_percent = Whole(
        minimum=1, maximum=PERCENT_MAX, required=False, default=100, help_text="100: demand as it was."
    )
    supply = Choice(SUPPLIES, required=False, default=SupplyKind.LEVEL.value)
    lead_days = Whole(maximum=DAYS_MAX, required=False, default=7)
    cover_days = Whole(minimum=1, maximum=DAYS_MAX, required=False, default=14)
    start = Choice(STARTS, required=False, default=START_NOW, help_text="Stock at the start.")
    late_minutes = Whole(maximum=LATE_MINUTES_MAX, required=False, default=10, help_text="Until news is shown.")
    seed = Whole(maximum=SEED_MAX, required=False, default=1)
    assumed = optional_text(ASSUMED_LENGTH)


class SimulationFilter(Filters):
    state = WordFilter(SimulationState)
    created_from = MomentFilter(field_name="created_at", lookup_expr="gte")
    created_before = MomentFilter(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = Simulation
        fields: list[str] = []


class SimulationResource(ListOne, Resource):
    """Rehearsals of rules on the demand of past weeks, newest first. Nothing is changed by them."""

    queryset = Simulation.objects.all()
    filterset_class = SimulationFilter
    newest_first = True
    endpoints = {
        "list": Endpoint("channels_sync.view_simulation", SimulationSerializer),
        "retrieve": Endpoint("channels_sync.view_simulation", SimulationDetailSerializer),
        "create": Endpoint(
            "channels_sync.add_simulation",
            SimulationSerializer,
            SimulationInputSerializer,
            status=201,
            is_keyed=True,
        ),
    }

    def create(self, request: Request) -> HttpResponse:
        """Ask. A worker answers; read the simulation until its state is done or failed."""
        values = self.values()
        title = values.pop("title")
        question = _question(values)

        def work(key: UUID) -> Reply:
            result = ask_simulation(key=key, question=question, title=title, actor=request.user)
            transaction.on_commit(lambda: send_message(run_simulations))
            return self.reply(result.simulation, replayed=result.replayed)

        return self.answer_once(request, work)


def _question(values: dict[str, Any]) -> Question:
    item = values["of_item"]
    category = values["of_category_id"]
    if category is not None:
        category = find_one(ItemCategory, "id", where=("of_category_id",), name=category, what="category").pk
    codes = values["of_channels"]
    channels = [find_one(Channel, "code", where=("of_channels",), name=code, what="channel").pk for code in codes]
    return Question(
        last_day=values["last_day"] or timezone.localdate() - timedelta(days=1),
        rules=_rules(values),
        weeks=values["weeks"],
        percent=values["demand_percent"],
        channel_ids=tuple(sorted(set(channels))),
        category_id=category,
        item_id=None if item is None else find_items([(("of_item",), item)])[0].pk,
        supply=SupplyKind(values["supply"]),
        lead_days=values["lead_days"],
        cover_days=values["cover_days"],
        start=values["start"],
        late_minutes=values["late_minutes"],
        seed=values["seed"],
        assumed=values["assumed"].strip(),
    )


def _rules(values: dict[str, Any]) -> tuple[ProposedRule, ...]:
    """Raises ValidationError where not exactly one of terms, a version and a campaign is given, or a scope says two things."""
    terms = {column: values[column] for column in COLUMNS if values[column] not in (None, "")}
    given = [bool(terms), values["policy_id"] is not None, values["campaign_id"] is not None]
    if sum(given) != 1:
        raise ValidationError({"policy_id": ["Give the terms of a rule, or policy_id, or campaign_id: one of them."]})
    if values["policy_id"] is not None:
        policy = find_one(AllocationPolicy, "id", where=("policy_id",), name=values["policy_id"], what="policy")
        return (rule_of(policy, policy.campaign.name if policy.campaign else ""),)
    if values["campaign_id"] is not None:
        campaign = find_one(Campaign, "id", where=("campaign_id",), name=values["campaign_id"], what="campaign")
        return rules_of_campaign(campaign)
    return (ProposedRule(terms, **_scope(values)),)


def _scope(values: dict[str, Any]) -> dict[str, Any]:
    channel, category, item, listing = (values[name] for name in ("channel", "category_id", "item", "listing_id"))
    if listing is not None and (channel is not None or item is not None or category is not None):
        raise ValidationError({"listing_id": ["A listing says its channel and item itself. Give it alone."]})
    if item is not None and category is not None:
        raise ValidationError({"category_id": ["A rule is for an item or for a category. Give one of them."]})
    found: dict[str, Any] = {}
    if channel is not None:
        found["channel_id"] = find_one(Channel, "code", where=("channel",), name=channel, what="channel").pk
    if category is not None:
        found["category_id"] = find_one(ItemCategory, "id", where=("category_id",), name=category, what="category").pk
    if item is not None:
        found["item_id"] = find_items([(("item",), item)])[0].pk
    if listing is not None:
        found["listing_id"] = find_one(Listing, "id", where=("listing_id",), name=listing, what="listing").pk
    return found
