"""Campaigns: rules that begin and end by themselves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from channels_sync.allocation.plain import sentences
from channels_sync.forms.policies import CampaignDatesForm, CampaignForm, CampaignRuleForm, RuleForm, dates_of
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
from channels_sync.operations.rehearsing_rules import (
    CampaignOutlook,
    outlook_after,
    outlook_of_campaign,
    outlook_of_end,
)
from channels_sync.operations.second_looks import TYPED_FROM
from channels_sync.reads.campaigns import decisions_about, in_words
from channels_sync.reads.policy_effect import Effect, effect_of
from channels_sync.reads.rulebook import Proposal
from channels_sync.reads.scopes import items_in
from channels_sync.views.policies import named_in_address, problems_of, row_of
from inventory.errors import DomainError
from inventory.web import Crumb, go_to, render_page
from inventory.whole_numbers import whole_number

CAMPAIGNS_PER_PAGE = 25
DECIDE = "channels_sync.decide_publishrun"


def _crumbs(*, deep: bool = True) -> list[Crumb]:
    way = [
        Crumb("Channels", reverse("channels_sync:channels")),
        Crumb("Allocation rules", reverse("channels_sync:policies")),
    ]
    return [*way, Crumb("Campaigns", reverse("channels_sync:campaigns"))] if deep else way


def state_of(campaign: Campaign) -> tuple[str, str, str]:
    """A word, its tone and an icon."""
    now = timezone.now()
    if campaign.is_over(at=now):
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
    campaign = get_object_or_404(Campaign.objects.select_related("created_by", "ended_by", "approved_by"), pk=pk)
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
    now = timezone.now()
    rows = [row_of(rule) for rule in rules.order_by("pk")]
    is_open = may_change and not campaign.is_over(at=now)
    still = {row.policy.pk for row in rows if _is_still_to_come(row.policy, now)}
    return render_page(
        request,
        "channels_sync/campaign.html",
        title=campaign.name,
        crumbs=_crumbs(),
        form=form,
        campaign=campaign,
        state=state_of(campaign),
        rows=rows,
        removable=still if is_open and len(still) > 1 else set(),
        is_open=is_open,
        standing=in_words(campaign, at=now),
        decisions=decisions_about(campaign),
        effect=None,
        words=[],
    )


def _is_still_to_come(rule: AllocationPolicy, now: datetime) -> bool:
    return rule.effective_to is not None and rule.effective_to > max(now, rule.effective_from)


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


@require_GET
@permission_required("channels_sync.view_allocationpolicy", raise_exception=True)
def outlook(request: HttpRequest, pk: int) -> HttpResponse:
    """What a campaign does at its begin and its end; who may decide approves that here."""
    return _outlook_page(request, _campaign(pk))


def _campaign(pk: int) -> Campaign:
    return get_object_or_404(Campaign.objects.select_related("created_by", "approved_by"), pk=pk)


def _outlook_page(request: HttpRequest, campaign: Campaign, problem: DomainError | None = None) -> HttpResponse:
    now = timezone.now()
    if campaign.is_over(at=now):
        return go_to(
            request,
            "channels_sync:campaign",
            campaign.pk,
            message=f"{campaign.name} is over: it changes nothing any more.",
        )
    may_decide = request.user.has_perm(DECIDE)
    return render_page(
        request,
        "channels_sync/campaign_outlook.html",
        title=f"What {campaign.name} does",
        crumbs=[*_crumbs(), _crumb_of(campaign)],
        status=200 if problem is None else problem.http_status,
        campaign=campaign,
        problem=problem,
        standing=in_words(campaign, at=now),
        outlook=outlook_of_campaign(campaign=campaign, supposing_approval=may_decide),
        may_decide=may_decide,
        typed_from=TYPED_FROM,
    )


def _crumb_of(campaign: Campaign) -> Crumb:
    return Crumb(campaign.name, reverse("channels_sync:campaign", args=[campaign.pk]))


@require_POST
@permission_required(DECIDE, raise_exception=True)
def approve(request: HttpRequest, pk: int) -> HttpResponse:
    """Approve beforehand what a campaign does, or take that back."""
    assert request.user.is_authenticated
    campaign = _campaign(pk)
    if "withdraw" in request.POST:
        try:
            withdraw_approval(campaign=campaign, actor=request.user)
        except DomainError as error:
            return _outlook_page(request, campaign, error)
        return go_to(request, "channels_sync:campaign", pk, message=f"{campaign.name} is not approved any more.")
    try:
        approve_campaign(
            campaign=campaign,
            edition=whole_number(request.POST.get("edition")) or 0,
            typed=request.POST.get("typed", ""),
            actor=request.user,
        )
    except DomainError as error:
        return _outlook_page(request, _campaign(pk), error)
    return go_to(request, "channels_sync:campaign", pk, message=f"{campaign.name} is approved.")


@require_http_methods(["GET", "POST"])
@permission_required("channels_sync.change_allocationpolicy", raise_exception=True)
def change(request: HttpRequest, pk: int) -> HttpResponse:
    """Another name, begin or end: first what listings would show by it, then the change itself."""
    assert request.user.is_authenticated
    campaign = _campaign(pk)
    has_begun = campaign.starts_at <= timezone.now()
    form = CampaignDatesForm(request.POST or None, initial=dates_of(campaign), has_begun=has_begun)
    found = None
    if request.method == "POST" and form.is_valid():
        wanted = form.values_for(campaign)
        is_seen = request.POST.get("seen") == form.print_of(campaign)
        try:
            if is_seen:
                change_campaign(campaign=campaign, actor=request.user, **wanted)
                return go_to(request, "channels_sync:campaign", pk, message=f"{wanted['name']} is changed.")
            act = partial(change_campaign, campaign=campaign, actor=request.user, **wanted)
            found = outlook_after(campaign=campaign, act=act)
        except DomainError as error:
            form.add_error(None, error.message)
    return render_page(
        request,
        "channels_sync/change_campaign.html",
        title=f"Change {campaign.name}",
        crumbs=[*_crumbs(), _crumb_of(campaign)],
        campaign=campaign,
        form=form,
        outlook=found,
        seen=form.print_of(campaign) if found else "",
    )


@require_http_methods(["GET", "POST"])
@permission_required("channels_sync.change_allocationpolicy", raise_exception=True)
def take_out(request: HttpRequest, pk: int, rule: int) -> HttpResponse:
    """What listings would show without one rule of a campaign, and taking it out."""
    assert request.user.is_authenticated
    campaign = _campaign(pk)
    rules = campaign.rules.select_related("channel", "category", "item", "listing__channel")
    found = get_object_or_404(rules, pk=rule)
    act = partial(take_rule_out, campaign=campaign, rule=found, actor=request.user)
    return _step(
        request,
        campaign,
        title=f"Take {found.scope} out of {campaign.name}",
        words="What this rule is for follows the lasting rules again, and the other rules of the campaign.",
        button="Take the rule out",
        done=f"{found.scope} is no rule of {campaign.name} any more.",
        look=partial(outlook_after, campaign=campaign, act=act),
        act=act,
    )


@require_http_methods(["GET", "POST"])
@permission_required("channels_sync.change_allocationpolicy", raise_exception=True)
def end(request: HttpRequest, pk: int) -> HttpResponse:
    """What listings would show were a campaign ended now, and ending it."""
    assert request.user.is_authenticated
    campaign = _campaign(pk)
    is_planned = campaign.starts_at > timezone.now()
    return _step(
        request,
        campaign,
        title=f"{'Cancel' if is_planned else 'End'} {campaign.name}",
        words="It has not begun, so nothing changes now; below is what its begin would have brought, taken back."
        if is_planned
        else "The lasting rules hold again at once.",
        button="Cancel the campaign" if is_planned else "End it now",
        done=f"{campaign.name} is over. The lasting rules hold again.",
        look=partial(outlook_of_end, campaign=campaign),
        act=partial(end_campaign, campaign=campaign, actor=request.user),
    )


def _step(
    request: HttpRequest,
    campaign: Campaign,
    *,
    title: str,
    words: str,
    button: str,
    done: str,
    look: Callable[[], CampaignOutlook],
    act: Callable[[], object],
) -> HttpResponse:
    """A change of a campaign with its effect (GET), and the change (POST)."""
    try:
        if request.method == "POST":
            act()
            return go_to(request, "channels_sync:campaign", campaign.pk, message=done)
        found = look()
    except DomainError as error:
        return go_to(request, "channels_sync:campaign", campaign.pk, message=error.message, level=40)
    return render_page(
        request,
        "channels_sync/campaign_step.html",
        title=title,
        crumbs=[*_crumbs(), _crumb_of(campaign)],
        campaign=campaign,
        words=words,
        button=button,
        outlook=found,
    )


def _add_refusal(form: Any, error: DomainError) -> None:
    term = str(error.context.get("term", ""))
    form.add_error(term if term in form.fields else None, error.message)
