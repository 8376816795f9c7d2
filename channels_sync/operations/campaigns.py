"""Seasons and promotions: rules that begin and end at given moments, and leave everything as it was.

A second person may approve a campaign beforehand; every later change of it withdraws that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import F, Q
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
from channels_sync.operations.deciding import check_second_person
from channels_sync.operations.recomputing import tell_items_changed
from channels_sync.operations.second_looks import check_typed
from channels_sync.reads.campaigns import items_of_rules, listings_of_rules, rules_to_come
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
        raise WrongState(f"The campaign would end on {_moment(ends_at)}, before it begins. Give a later end.")
    if not rules:
        raise InvalidQuantity("The campaign sets nothing. Give at least one rule.", term="percent", value="")
    campaign = Campaign(
        name=name, starts_at=begins_at, ends_at=ends_at, note=note, created_by_id=getattr(actor, "pk", None), edition=0
    )
    _save(campaign, actor, f"Planned {_span(campaign)}.")
    for rule in rules:
        _add_rule(campaign, rule, actor)
    return campaign


@operation
def add_campaign_rule(*, campaign: Campaign, rule: CampaignRule, actor: Actor) -> AllocationPolicy:
    """Set what a campaign does for one more scope, or for one scope anew, from now on or from its start.

    Raises WrongState when the campaign has ended.
    """
    campaign = _locked(campaign)
    policy = _add_rule(campaign, rule, actor)
    _save(campaign, actor, f"Rule set: {policy.scope}.")
    return policy


@operation
def change_campaign(*, campaign: Campaign, name: str, starts_at: datetime, ends_at: datetime, actor: Actor) -> Campaign:
    """Give a campaign another name, begin (now, when that has passed) or end; its rules move with it.

    The same again changes nothing. Raises WrongState when it is over, for another begin once it has begun, and for an end that
    has passed or comes before the begin.
    """
    campaign = _locked(campaign)
    now = timezone.now()
    has_begun = campaign.starts_at <= now
    if has_begun and starts_at != campaign.starts_at:
        raise WrongState(
            f"{campaign.name} began on {_moment(campaign.starts_at)}, so its begin cannot be moved. Leave it, or end the "
            "campaign and plan another.",
            campaign=campaign.pk,
        )
    begins_at = starts_at if has_begun else max(starts_at, now)
    if ends_at <= now:
        raise WrongState(
            f"{_moment(ends_at)} has passed. Give an end that is still to come, or end the campaign now.",
            campaign=campaign.pk,
        )
    if ends_at <= begins_at:
        raise WrongState(
            f"The campaign would end on {_moment(ends_at)}, before it begins on {_moment(begins_at)}. Give a later end.",
            campaign=campaign.pk,
        )
    words = _what_changed(campaign, name=name, starts_at=begins_at, ends_at=ends_at)
    if not words:
        return campaign
    is_moved = (begins_at, ends_at) != (campaign.starts_at, campaign.ends_at)
    begins_now = not has_begun and begins_at <= now
    rules = _open_rules(campaign, now) if is_moved else []
    for rule in rules:
        if not has_begun:
            rule.effective_from = begins_at
            rule.start_told = begins_now
        rule.effective_to = ends_at
        save_policy(rule, actor)
    campaign.name, campaign.starts_at, campaign.ends_at = name, begins_at, ends_at
    _save(campaign, actor, words)
    if begins_now and rules:
        tell_items_changed(items=items_of_rules(rules), cause="campaign", actor=actor)
    return campaign


@operation
def take_rule_out(*, campaign: Campaign, rule: AllocationPolicy, actor: Actor) -> Campaign:
    """Take one rule out of a campaign, from now on or before it began; what it was for follows the lasting rules again.

    Raises WrongState when the campaign or the rule is over, or the rule is its only one.
    """
    campaign = _locked(campaign)
    now = timezone.now()
    rules = _open_rules(campaign, now)
    found = next((one for one in rules if one.pk == rule.pk), None)
    if found is None:
        raise WrongState(
            f"{rule.scope} is not a rule of {campaign.name} any more: it was taken out, or set anew. Reload the page.",
            campaign=campaign.pk,
        )
    if len(rules) == 1:
        raise WrongState(
            f"{found.scope} is the only rule of {campaign.name}. End the campaign instead.", campaign=campaign.pk
        )
    _end_rule(found, now, actor)
    _save(campaign, actor, f"Rule taken out: {found.scope}.")
    if found.effective_from <= now:
        tell_items_changed(items=items_of_rules([found]), cause="campaign", actor=actor)
    return campaign


@operation
def end_campaign(*, campaign: Campaign, actor: Actor) -> Campaign:
    """End a campaign now, or before it began. The lasting rules hold again at once. Raises WrongState when it is over."""
    campaign = _locked(campaign)
    now = timezone.now()
    rules = _open_rules(campaign, now)
    for rule in rules:
        _end_rule(rule, now, actor)
    items = items_of_rules(rule for rule in rules if rule.effective_from <= now)
    campaign.ends_at = max(now, campaign.starts_at)
    campaign.ended_at = now
    campaign.ended_by_id = getattr(actor, "pk", None)
    _save(campaign, actor, "Ended before its time.")
    if items:
        tell_items_changed(items=items, cause="campaign ends", actor=actor)
    return campaign


@operation
def approve_campaign(*, campaign: Campaign, edition: int, actor: Actor, typed: str = "") -> Campaign:
    """Approve beforehand that a campaign begins and ends: the guard then does not hold what rises because of that alone.

    `edition` is the one that was looked at. Raises WrongState when it is over or was changed since; SecondPersonRequired for
    whoever planned or changed it while somebody else may decide; TypedConfirmationRequired for TYPED_FROM listings or more
    without their number.
    """
    campaign = _locked(campaign)
    if campaign.edition != edition:
        raise WrongState(
            f"{campaign.name} was changed since you looked at it. Look at what it would do now, and approve that.",
            campaign=campaign.pk,
        )
    rules = rules_to_come(campaign, at=timezone.now())
    authors = (campaign.created_by_id, *campaign.rules.values_list("created_by", flat=True))
    causers = {*campaign.actors, *(author for author in authors if author is not None)}
    check_second_person(campaign.name, causers, actor, part="planned or changed")
    check_typed(listings_of_rules(rules), typed)
    campaign.approved_at = timezone.now()
    campaign.approved_by_id = getattr(actor, "pk", None)
    _write(campaign, actor, "Approved.")
    return campaign


@operation
def withdraw_approval(*, campaign: Campaign, actor: Actor) -> Campaign:
    """Take back that a campaign was approved. Raises WrongState when it is over or nobody approved it."""
    campaign = _locked(campaign)
    if not campaign.is_approved:
        raise WrongState(f"{campaign.name} is not approved, so there is nothing to withdraw.", campaign=campaign.pk)
    campaign.approved_at = campaign.approved_by = None
    _write(campaign, actor, "Approval withdrawn.")
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
    if found.is_over(at=timezone.now()):
        raise WrongState(f"{found.name} ended on {_moment(found.ends_at)}. Plan another campaign.", campaign=found.pk)
    return found


def _open_rules(campaign: Campaign, now: datetime) -> list[AllocationPolicy]:
    """Its rules that are in force or still will be, under their lock: somebody may be telling that they began."""
    rules = campaign.rules.filter(Q(effective_to__gt=now), effective_to__gt=F("effective_from"))
    locked = rules.select_for_update(of=("self",), no_key=True)
    return list(locked.select_related("channel", "category", "item", "listing__channel").order_by("pk"))


def _end_rule(rule: AllocationPolicy, now: datetime, actor: Actor) -> None:
    rule.effective_to = max(now, rule.effective_from)
    rule.start_told = rule.end_told = True
    save_policy(rule, actor)


def _save(campaign: Campaign, actor: Actor, words: str) -> None:
    """Save a change with its history. It is another edition then, and nobody approved that."""
    campaign.edition += 1
    if campaign.is_approved:
        words += " The approval is withdrawn by that."
    campaign.approved_at = campaign.approved_by = None
    actor_id = getattr(actor, "pk", None)
    if actor_id is not None and actor_id not in campaign.actors:
        campaign.actors = [*campaign.actors, actor_id]
    _write(campaign, actor, words)


def _write(campaign: Campaign, actor: Actor, words: str) -> None:
    campaign._history_user = actor if actor is not None and actor.is_authenticated else None  # type: ignore[attr-defined]
    campaign._change_reason = words  # type: ignore[attr-defined]
    campaign.save()


def _what_changed(campaign: Campaign, *, name: str, starts_at: datetime, ends_at: datetime) -> str:
    words = []
    if name != campaign.name:
        words.append(f"Renamed from “{campaign.name}” to “{name}”.")
    if starts_at != campaign.starts_at:
        words.append(f"Begin moved from {_moment(campaign.starts_at)} to {_moment(starts_at)}.")
    if ends_at != campaign.ends_at:
        words.append(f"End moved from {_moment(campaign.ends_at)} to {_moment(ends_at)}.")
    return " ".join(words)


def _span(campaign: Campaign) -> str:
    return f"from {_moment(campaign.starts_at)} until {_moment(campaign.ends_at)}"


def _moment(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M}"


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
