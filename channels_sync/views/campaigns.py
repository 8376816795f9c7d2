"""Campaigns: rules that begin and end by themselves."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from channels_sync.allocation.plain import sentences
from channels_sync.forms.policies import CampaignForm, CampaignRuleForm, RuleForm
from channels_sync.models import Campaign
from channels_sync.operations.campaigns import CampaignRule, add_campaign_rule, end_campaign, plan_campaign
from channels_sync.reads.policy_effect import Effect, effect_of
from channels_sync.reads.rulebook import Proposal
from channels_sync.reads.scopes import items_in
from channels_sync.views.policies import named_in_address, problems_of, row_of
from inventory.errors import DomainError
from inventory.web import Crumb, go_to, render_page

CAMPAIGNS_PER_PAGE = 25


def _crumbs(*, deep: bool = True) -> list[Crumb]:
    way = [
        Crumb("Channels", reverse("channels_sync:channels")),
        Crumb("Allocation rules", reverse("channels_sync:policies")),
    ]
    return [*way, Crumb("Campaigns", reverse("channels_sync:campaigns"))] if deep else way


def state_of(campaign: Campaign) -> tuple[str, str, str]:
    """A word, its tone and an icon."""
    now = timezone.now()
    if campaign.ends_at <= now or campaign.ended_at is not None:
        return ("Ended early" if campaign.ended_at else "Over", "quiet", "event_busy")
    return ("Planned", "info", "event_upcoming") if campaign.starts_at > now else ("Running", "good", "campaign")


@require_GET
@permission_required("channels_sync.view_allocationpolicy", raise_exception=True)
def campaigns(request: HttpRequest) -> HttpResponse:
    """Every campaign, the newest first."""
    found = Campaign.objects.select_related("created_by").prefetch_related(
        "rules__channel", "rules__category", "rules__item", "rules__listing__channel"
    )
    page = Paginator(found, CAMPAIGNS_PER_PAGE).get_page(request.GET.get("page"))
    return render_page(
        request,
        "channels_sync/campaigns.html",
        title="Campaigns",
        crumbs=_crumbs(deep=False),
        page_object=page,
        rows=[(one, state_of(one), [row_of(rule) for rule in one.rules.all()]) for one in page.object_list],
    )


@require_http_methods(["GET", "POST"])
@permission_required("channels_sync.view_allocationpolicy", raise_exception=True)
def campaign_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One campaign with its rules; who may change rules adds one more here."""
    assert request.user.is_authenticated
    campaign = get_object_or_404(Campaign.objects.select_related("created_by", "ended_by"), pk=pk)
    may_change = request.user.has_perm("channels_sync.change_allocationpolicy")
    form = CampaignRuleForm(request.POST or None)
    if request.method == "POST" and not may_change:
        return HttpResponse(status=403)
    if request.method == "POST" and form.is_valid():
        rule = CampaignRule(form.terms, **form.scope)  # type: ignore[arg-type]
        try:
            add_campaign_rule(campaign=campaign, rule=rule, actor=request.user)
        except DomainError as error:
            _add_refusal(form, error)
        else:
            return go_to(request, "channels_sync:campaign", pk, message=f"{campaign.name} has one more rule.")
    rules = campaign.rules.select_related("channel", "category", "item", "listing__channel", "created_by")
    return render_page(
        request,
        "channels_sync/campaign.html",
        title=campaign.name,
        crumbs=_crumbs(),
        form=form,
        campaign=campaign,
        state=state_of(campaign),
        rows=[row_of(rule) for rule in rules.order_by("pk")],
        is_open=may_change and campaign.ends_at > timezone.now() and campaign.ended_at is None,
        effect=None,
        words=[],
    )


@require_http_methods(["GET", "POST"])
@permission_required("channels_sync.change_allocationpolicy", raise_exception=True)
def new_campaign(request: HttpRequest) -> HttpResponse:
    """Plan a campaign with its first rule, seeing what it would do."""
    assert request.user.is_authenticated
    form = CampaignForm(request.POST or None, initial=named_in_address(request))
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        rule = CampaignRule(form.terms, **form.scope)  # type: ignore[arg-type]
        try:
            campaign = plan_campaign(
                name=data["name"],
                starts_at=data["starts_at"],
                ends_at=data["ends_at"],
                note=data["note"],
                rules=[rule],
                actor=request.user,
            )
        except DomainError as error:
            _add_refusal(form, error)
        else:
            message = f"{campaign.name} is planned. It begins and ends by itself."
            return go_to(request, "channels_sync:campaign", campaign.pk, message=message)
    return render_page(
        request,
        "channels_sync/new_campaign.html",
        title="Plan a campaign",
        crumbs=_crumbs(),
        form=form,
        effect=None,
        words=[],
    )


@require_GET
@permission_required("channels_sync.change_allocationpolicy", raise_exception=True)
def campaign_effect(request: HttpRequest) -> HttpResponse:
    """What the rule in the form would do while its campaign runs. Nothing is written."""
    form = CampaignRuleForm(request.GET)
    is_valid = form.is_valid()
    return render_page(
        request,
        "channels_sync/policy_effect.html",
        part="channels_sync/_policy_effect.html",
        title="What the campaign would do",
        crumbs=_crumbs(),
        problems=[] if is_valid else problems_of(form),
        effect=_effect(form) if is_valid else None,
        words=sentences(form.terms) if is_valid else [],
        status=200,
    )


def _effect(form: RuleForm) -> Effect:
    proposal = Proposal(form.scope_ids, form.terms, campaign="As proposed")
    return effect_of(items=sorted(items_in(**form.scope)), proposals=[proposal], cause="campaign")


@require_POST
@permission_required("channels_sync.change_allocationpolicy", raise_exception=True)
def end(request: HttpRequest, pk: int) -> HttpResponse:
    """End a campaign before its time."""
    assert request.user.is_authenticated
    campaign = get_object_or_404(Campaign, pk=pk)
    try:
        end_campaign(campaign=campaign, actor=request.user)
    except DomainError as error:
        return go_to(request, "channels_sync:campaign", pk, message=error.message, level=40)
    return go_to(
        request, "channels_sync:campaign", pk, message=f"{campaign.name} is over. The lasting rules hold again."
    )


def _add_refusal(form: Any, error: DomainError) -> None:
    term = str(error.context.get("term", ""))
    form.add_error(term if term in form.fields else None, error.message)
