"""What rules with dates would do on channels: as they stand, or after an act that is done, looked at, and undone."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from channels_sync.causes import APPROVED_CAMPAIGN
from channels_sync.models import AllocationPolicy, Campaign, Channel
from channels_sync.operations.allocating import withdraw_policy
from channels_sync.operations.campaigns import end_campaign
from channels_sync.operations.offering import set_sources
from channels_sync.reads.campaigns import approval_counts, items_of_rules, listings_of_rules, rules_to_come
from channels_sync.reads.policy_effect import Effect, effect_of
from inventory.models import Location
from inventory.operations.transactions import try_out


@dataclass(frozen=True, slots=True)
class CampaignOutlook:
    """What a campaign does. Its end begins from what it shows until then; all else from what is shown now."""

    starts_at: datetime
    ends_at: datetime
    listings: int
    """Published listings its rules are for: of them so many are typed."""
    at_once: Effect | None = None
    """What the act changes now; None: nothing, for it has not begun."""
    start: Effect | None = None
    """None: it has begun, or does not begin any more."""
    end: Effect | None = None
    """None: it is over."""
    instead: Effect | None = None
    """Of one that is cancelled: what is shown from its begin on, against what it would have brought."""


def outlook_of_campaign(*, campaign: Campaign, supposing_approval: bool = False) -> CampaignOutlook:
    """What a campaign does at its begin and its end, with stock as it is now. Nothing is changed.

    `supposing_approval` asks the guard as if a second person had approved it.
    """
    return _outlook(campaign, set(), is_approved=supposing_approval or approval_counts(campaign))


def outlook_after(*, campaign: Campaign, act: Callable[[], object]) -> CampaignOutlook:
    """The same after a change of it, with what that changes at once. Nothing is kept. Raises what the act raises."""
    has_begun = campaign.starts_at <= timezone.now()
    items = items_of_rules(rules_to_come(campaign, at=timezone.now()))

    def work() -> CampaignOutlook:
        act()
        changed = Campaign.objects.get(pk=campaign.pk)
        return _outlook(changed, items, shows_now=has_begun or changed.starts_at <= timezone.now(), is_approved=False)

    return try_out(work)


def outlook_of_end(*, campaign: Campaign) -> CampaignOutlook:
    """What changes when a campaign is ended now; of one that has not begun, what its begin would have brought.

    Raises WrongState when it is over.
    """
    rules = rules_to_come(campaign, at=timezone.now())
    items = sorted(items_of_rules(rules))
    starts_at, listings = campaign.starts_at, listings_of_rules(rules)
    has_begun = starts_at <= timezone.now()
    planned = {} if has_begun else effect_of(items=items, at=starts_at, cause="").figures

    def work() -> CampaignOutlook:
        end_campaign(campaign=campaign, actor=None)
        if has_begun:
            effect = effect_of(items=items, cause="campaign ends")
            return CampaignOutlook(starts_at, timezone.now(), listings, at_once=effect)
        instead = effect_of(items=items, at=starts_at, cause="", begins_from=planned)
        return CampaignOutlook(starts_at, starts_at, listings, instead=instead)

    return try_out(work)


def outlook_of_withdrawal(*, policy: AllocationPolicy) -> Effect:
    """What listings show from the moment a planned rule would have begun, against what they would have shown by it.

    Raises WrongState where it cannot be withdrawn.
    """
    items = sorted(items_of_rules([policy]))
    planned = effect_of(items=items, at=policy.effective_from, cause="").figures

    def work() -> Effect:
        withdraw_policy(policy=policy, actor=None)
        return effect_of(items=items, at=policy.effective_from, cause="", begins_from=planned)

    return try_out(work)


def outlook_of_sources(*, channel: Channel, places: Collection[Location]) -> Effect:
    """What another choice of a channel's source locations would change."""
    items = sorted(channel.listings.values_list("item_id", flat=True).distinct())

    def work() -> Effect:
        set_sources(channel=channel, places=places, actor=None)
        return effect_of(items=items, cause="channel sources")

    return try_out(work)


def _outlook(
    campaign: Campaign, items: Collection[int], *, shows_now: bool = False, is_approved: bool
) -> CampaignOutlook:
    now = timezone.now()
    rules = rules_to_come(campaign, at=now)
    touched = sorted({*items} | items_of_rules(rules))
    cause = APPROVED_CAMPAIGN if is_approved else "rule by date"
    at_once = effect_of(items=touched, cause="campaign") if shows_now else None
    start = None
    if campaign.starts_at > now:
        start = effect_of(items=touched, at=campaign.starts_at, cause=cause)
    begun = start or at_once
    end = effect_of(
        items=touched, at=campaign.ends_at, cause=cause, begins_from=None if begun is None else begun.figures
    )
    return CampaignOutlook(
        campaign.starts_at, campaign.ends_at, listings_of_rules(rules), at_once=at_once, start=start, end=end
    )
