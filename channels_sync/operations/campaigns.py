"""Seasons and promotions: rules that begin and end at given moments, and leave everything as it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils import timezone

from channels_sync.models import AllocationPolicy, Campaign, Channel, Listing
from channels_sync.operations.allocating import (
    TermValues,
    checked_scope,
    checked_terms,
    lock_scope,
    save_policy,
    versions_of,
)
from channels_sync.operations.recomputing import tell_items_changed
from channels_sync.reads.scopes import items_in
from inventory.errors import InvalidQuantity, WrongState
from inventory.models import Item, ItemCategory
from inventory.operations.posting import Actor
from inventory.operations.transactions import operation


@dataclass(frozen=True, slots=True)
class CampaignRule:
    """What a campaign sets for one scope; see set_policy. Without a note of its own the rule has that of the campaign."""

    terms: TermValues
    channel: Channel | None = None
    category: ItemCategory | None = None
    item: Item | None = None
    listing: Listing | None = None
    note: str | None = None
    scope: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        scope = checked_scope(channel=self.channel, category=self.category, item=self.item, listing=self.listing)
        object.__setattr__(self, "scope", scope)


@operation
def plan_campaign(
    *,
    name: str,
    starts_at: datetime,
    ends_at: datetime,
    rules: Sequence[CampaignRule],
    actor: Actor,
    note: str = "",
) -> Campaign:
    """Put rules in force from `starts_at` (now, when that has passed) until `ends_at`, above all lasting ones.

    Nothing needs to be undone afterwards: at the end the lasting rules hold again and figures are worked out anew. Raises
    WrongState for an end that has passed or comes before the start, and InvalidQuantity for terms out of their range or for
    a rule that sets none.
    """
    now = timezone.now()
    begins_at = max(starts_at, now)
    if ends_at <= begins_at:
        raise WrongState(
            f"The campaign would end on {timezone.localtime(ends_at):%Y-%m-%d %H:%M}, before it begins. Give a later end.",
        )
    if not rules:
        raise InvalidQuantity("The campaign sets nothing. Give at least one rule.", term="percent", value="")
    campaign = Campaign.objects.create(
        name=name, starts_at=begins_at, ends_at=ends_at, note=note, created_by_id=getattr(actor, "pk", None)
    )
    for rule in rules:
        _add_rule(campaign, rule, actor)
    return campaign


@operation
def add_campaign_rule(*, campaign: Campaign, rule: CampaignRule, actor: Actor) -> AllocationPolicy:
    """Set what a campaign does for one more scope, or for one scope anew, from now on or from its start.

    Raises WrongState when the campaign has ended.
    """
    campaign = _locked(campaign)
    return _add_rule(campaign, rule, actor)


@operation
def end_campaign(*, campaign: Campaign, actor: Actor) -> Campaign:
    """End a campaign now, or before it began. The lasting rules hold again at once. Raises WrongState when it is over."""
    campaign = _locked(campaign)
    now = timezone.now()
    over_at = max(now, campaign.starts_at)
    items: set[int] = set()
    for rule in campaign.rules.filter(effective_to__gt=now).select_related("channel", "category", "item", "listing"):
        rule.effective_to = max(now, rule.effective_from)
        rule.start_told = rule.end_told = True
        save_policy(rule, actor)
        if rule.effective_from <= now:
            items |= items_in(channel=rule.channel, category=rule.category, item=rule.item, listing=rule.listing)
    campaign.ends_at = over_at
    campaign.ended_at = now
    campaign.ended_by_id = getattr(actor, "pk", None)
    campaign.save(update_fields=["ends_at", "ended_at", "ended_by"])
    if items:
        tell_items_changed(items=items, cause="campaign ends", actor=actor)
    return campaign


def checked_campaign_terms(terms: TermValues) -> dict[str, Any]:
    """See checked_terms; a rule that sets nothing is refused too."""
    values = checked_terms(terms)
    if not any(value not in (None, "") for value in values.values()):
        raise InvalidQuantity(
            "A rule of a campaign that sets nothing does nothing. Give a term.", term="percent", value=""
        )
    return values


def _locked(campaign: Campaign) -> Campaign:
    found = Campaign.objects.select_for_update(of=("self",), no_key=True).get(pk=campaign.pk)
    if found.ends_at <= timezone.now() or found.ended_at is not None:
        raise WrongState(
            f"{found.name} ended on {timezone.localtime(found.ends_at):%Y-%m-%d %H:%M}. Plan another campaign.",
            campaign=found.pk,
        )
    return found


def _add_rule(campaign: Campaign, rule: CampaignRule, actor: Actor) -> AllocationPolicy:
    values = checked_campaign_terms(rule.terms)
    lock_scope(rule.scope)
    now = timezone.now()
    begins_at = max(campaign.starts_at, now)
    before = versions_of(rule.scope, campaign).order_by("-version").first()
    if before is not None and before.effective_to is not None and before.effective_to > now:
        before.effective_to = max(now, before.effective_from)
        before.start_told = before.end_told = True
        save_policy(before, actor)
    policy = AllocationPolicy(
        **rule.scope,
        **values,
        campaign=campaign,
        version=before.version + 1 if before else 1,
        note=campaign.note if rule.note is None else rule.note,
        effective_from=begins_at,
        effective_to=campaign.ends_at,
        start_told=begins_at <= now,
        end_told=False,
        created_by_id=getattr(actor, "pk", None),
    )
    save_policy(policy, actor)
    if policy.start_told:
        tell_items_changed(items=items_in(**rule.scope), cause="campaign", actor=actor)
    return policy
