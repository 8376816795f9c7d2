"""Campaigns over the REST API: planned, looked at, approved, changed and ended."""

from collections.abc import Callable
from functools import partial

from django.utils import timezone
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from channels_sync.api.filters import CampaignFilter
from channels_sync.api.scopes import scope_of, terms_of
from channels_sync.api.serializers import (
    ApproveCampaignSerializer,
    CampaignChangeSerializer,
    CampaignEffectQuery,
    CampaignInputSerializer,
    CampaignOutlookSerializer,
    CampaignPreviewSerializer,
    CampaignRuleSerializer,
    CampaignSerializer,
    RuleOutSerializer,
)
from channels_sync.models import AllocationPolicy, Campaign
from channels_sync.operations.campaigns import (
    CampaignRule,
    add_campaign_rule,
    approve_campaign,
    change_campaign,
    end_campaign,
    plan_campaign,
    take_rule_out,
    withdraw_approval,
)
from channels_sync.operations.rehearsing_rules import outlook_after, outlook_of_campaign, outlook_of_end
from inventory.api.fields import Nothing
from inventory.api.resources import Endpoint, ListOne, Resource
from inventory.errors import WrongState


class CampaignResource(ListOne, Resource):
    """Rules that begin and end by themselves, newest first."""

    queryset = Campaign.objects.select_related("approved_by").prefetch_related(
        "rules__channel", "rules__category", "rules__item", "rules__campaign", "rules__listing__channel"
    )
    newest_first = True
    filterset_class = CampaignFilter
    endpoints = {
        "list": Endpoint("channels_sync.view_allocationpolicy", CampaignSerializer),
        "retrieve": Endpoint("channels_sync.view_allocationpolicy", CampaignSerializer),
        "create": Endpoint(
            "channels_sync.change_allocationpolicy", CampaignSerializer, CampaignInputSerializer, status=201
        ),
        "partial_update": Endpoint(
            "channels_sync.change_allocationpolicy", CampaignSerializer, CampaignChangeSerializer
        ),
        "effect": Endpoint("channels_sync.view_allocationpolicy", CampaignOutlookSerializer, query=CampaignEffectQuery),
        "preview": Endpoint(
            "channels_sync.change_allocationpolicy", CampaignOutlookSerializer, CampaignPreviewSerializer
        ),
        "rules": Endpoint("channels_sync.change_allocationpolicy", CampaignSerializer, CampaignRuleSerializer),
        "preview_rule": Endpoint(
            "channels_sync.change_allocationpolicy", CampaignOutlookSerializer, CampaignRuleSerializer
        ),
        "take_out": Endpoint("channels_sync.change_allocationpolicy", CampaignSerializer, RuleOutSerializer),
        "end": Endpoint("channels_sync.change_allocationpolicy", CampaignSerializer, Nothing),
        "approve": Endpoint("channels_sync.decide_publishrun", CampaignSerializer, ApproveCampaignSerializer),
        "withdraw_approval": Endpoint("channels_sync.decide_publishrun", CampaignSerializer, Nothing),
    }

    def create(self, request: Request) -> Response:
        """Plan a campaign with its first rule."""
        values = self.values()
        rule = CampaignRule(terms_of(values), **scope_of(values))  # type: ignore[arg-type]
        campaign = plan_campaign(rules=[rule], actor=request.user, **values)
        return self._fresh(campaign)

    @action(detail=True, methods=["post"])
    def end(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """End it now. The lasting rules hold again."""
        campaign: Campaign = self.get_object()
        self.values()
        end_campaign(campaign=campaign, actor=request.user)
        return self._fresh(campaign)

    def partial_update(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Change its name, its begin while it has not begun, or its end until it is over. Any change withdraws an approval."""
        campaign: Campaign = self.get_object()
        values = self.values(partial=True)
        wanted = {name: values.get(name, getattr(campaign, name)) for name in ("name", "starts_at", "ends_at")}
        change_campaign(campaign=campaign, actor=request.user, **wanted)
        return self._fresh(campaign)

    @action(detail=True, methods=["get"])
    def effect(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """What it does at its begin and its end, and what the guard would hold of that."""
        campaign: Campaign = self.get_object()
        asked = self.parameters()
        if campaign.is_over(at=timezone.now()):
            raise WrongState(f"{campaign.name} is over: it changes nothing any more.", campaign=campaign.pk)
        return self.answer(outlook_of_campaign(campaign=campaign, supposing_approval=asked["if_approved"] == "yes"))

    @action(detail=True, methods=["post"])
    def preview(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """What it would do after one change: other dates, a rule taken out, or its end now. Nothing is written."""
        campaign: Campaign = self.get_object()
        values = self.values()
        moved = {name: values[name] for name in ("starts_at", "ends_at") if name in values}
        if sum((bool(moved), values["rule_id"] is not None, values["ends_now"])) != 1:
            raise ValidationError({"rule_id": ["Give dates, rule_id, or ends_now: one change at a time."]})
        if values["ends_now"]:
            return self.answer(outlook_of_end(campaign=campaign))
        if moved:
            dates = {name: moved.get(name, getattr(campaign, name)) for name in ("starts_at", "ends_at")}
            act = partial(change_campaign, campaign=campaign, name=campaign.name, actor=request.user, **dates)
            return self.answer(outlook_after(campaign=campaign, act=act))
        rule = _rule_of(campaign, values["rule_id"])
        out = partial(take_rule_out, campaign=campaign, rule=rule, actor=request.user)
        return self.answer(outlook_after(campaign=campaign, act=out))

    @action(detail=True, methods=["post"])
    def rules(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Add a rule, or set the one of a scope anew."""
        campaign: Campaign = self.get_object()
        self._adding(campaign)()
        return self._fresh(campaign)

    @action(detail=True, methods=["post"], url_path="rules/preview")
    def preview_rule(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """What it would do with such a rule. Nothing is written."""
        campaign: Campaign = self.get_object()
        return self.answer(outlook_after(campaign=campaign, act=self._adding(campaign)))

    def _adding(self, campaign: Campaign) -> Callable[[], object]:
        values = self.values()
        note = values.pop("note") or None
        rule = CampaignRule(terms_of(values), note=note, **scope_of(values))  # type: ignore[arg-type]
        return partial(add_campaign_rule, campaign=campaign, rule=rule, actor=self.request.user)

    @action(detail=True, methods=["post"], url_path="take-out")
    def take_out(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Take a rule out of it."""
        campaign: Campaign = self.get_object()
        rule = _rule_of(campaign, self.values()["rule_id"])
        take_rule_out(campaign=campaign, rule=rule, actor=request.user)
        return self._fresh(campaign)

    @action(detail=True, methods=["post"])
    def approve(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Approve beforehand that it begins and ends; not by whoever planned or changed it."""
        campaign: Campaign = self.get_object()
        approve_campaign(campaign=campaign, actor=request.user, **self.values())
        return self._fresh(campaign)

    @action(detail=True, methods=["post"], url_path="withdraw-approval")
    def withdraw_approval(self, request: Request, id: str) -> Response:  # noqa: ARG002
        """Take the approval back."""
        campaign: Campaign = self.get_object()
        self.values()
        withdraw_approval(campaign=campaign, actor=request.user)
        return self._fresh(campaign)

    def _fresh(self, campaign: Campaign) -> Response:
        return self.answer(self.get_queryset().get(pk=campaign.pk))


def _rule_of(campaign: Campaign, rule_id: int) -> AllocationPolicy:
    rule = campaign.rules.filter(pk=rule_id).select_related("channel", "category", "item", "listing__channel").first()
    if rule is None:
        raise ValidationError({"rule_id": [f"{campaign.name} has no rule {rule_id}. Give one of its rules."]})
    return rule
