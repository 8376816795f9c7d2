"""What a campaign is about: the items and listings of its rules, what was decided about it, and whether that still counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from channels_sync.guard import Limits
from channels_sync.models import AllocationPolicy, Campaign, Listing
from channels_sync.reads.scopes import items_in
from inventory.models import ItemCategory

RULES_LOOKED_AT = 1_000
"""So many rules that changed since an approval are looked at; more of them, and it does not count."""
FEW_LISTINGS = Limits().bulk_listings_min
"""Other rules of so many listings may change after an approval: as many rise by a change of rules without being looked at."""


def rules_to_come(campaign: Campaign, *, at: datetime) -> Sequence[AllocationPolicy]:
    """Its rules that are in force or still will be, with what they are for."""
    rules = campaign.rules.filter(effective_to__gt=at).select_related("channel", "category", "item", "listing__channel")
    return [rule for rule in rules.order_by("pk") if rule.effective_to and rule.effective_to > rule.effective_from]


def items_of_rules(rules: Iterable[AllocationPolicy]) -> set[int]:
    """Ids of the items whose figures any of these rules may change."""
    found: set[int] = set()
    for rule in rules:
        found |= items_in(channel=rule.channel, category=rule.category, item=rule.item, listing=rule.listing)
    return found


def listings_of_rules(rules: Iterable[AllocationPolicy]) -> int:
    """How many published listings these rules are for."""
    wanted = _covered((rule.channel_id, rule.category_id, rule.item_id, rule.listing_id) for rule in rules)
    return 0 if wanted is None else Listing.objects.published().filter(wanted).count()


def listings_changed_since(campaign: Campaign) -> int:
    """Published listings of a campaign that is approved for which other rules were set, planned or ended since, those left out
    that begin when it is over.

    What these do beneath the campaign shows at its end, and nobody looked at that; see `approval_counts`.
    """
    assert campaign.approved_at is not None, "nobody approved it"
    history = AllocationPolicy.history
    changed = history.filter(history_date__gt=campaign.approved_at, effective_from__lt=campaign.ends_at)
    changed = changed.exclude(campaign=campaign.pk)
    scopes = list(
        changed.order_by()
        .values_list("channel_id", "category_id", "item_id", "listing_id")
        .distinct()[: RULES_LOOKED_AT + 1]
    )
    wanted = _covered(scopes) if len(scopes) <= RULES_LOOKED_AT else Q()
    if wanted is None:
        return 0
    rules = AllocationPolicy.objects.filter(campaign=campaign, effective_to__gte=campaign.ends_at)
    items = items_of_rules(rules.select_related("channel", "category", "item", "listing"))
    return Listing.objects.published().filter(wanted, item__in=items).count()


def approval_counts(campaign: Campaign) -> bool:
    """Whether a second person approved what is going to happen: the campaign as it stands, and most rules beneath it."""
    return campaign.is_approved and listings_changed_since(campaign) <= FEW_LISTINGS


@dataclass(frozen=True, slots=True)
class Decision:
    """One line of what happened to a campaign."""

    at: datetime
    by: Any
    words: str


def decisions_about(campaign: Campaign) -> list[Decision]:
    """What people did to a campaign, the newest first."""
    rows = campaign.history.select_related("history_user").order_by("-history_date", "-history_id")
    return [Decision(row.history_date, row.history_user, row.history_change_reason or "changed") for row in rows]


def in_words(campaign: Campaign, *, at: datetime) -> tuple[str, str]:
    """Whether it begins and ends without waiting, and the tone of that."""
    if campaign.is_over(at=at):
        return "", "quiet"
    if not campaign.is_approved:
        moment = "its begin and its end" if campaign.starts_at > at else "its end"
        return (
            f"Not approved: what rises at {moment} waits for a person where that is more than a few listings.",
            "look",
        )
    changed = listings_changed_since(campaign)
    if changed > FEW_LISTINGS:
        return (
            f"The approval does not count any more: other rules of {changed} of its listings changed since. "
            "What rises waits, unless somebody looks at it and approves it again.",
            "look",
        )
    return "Approved: it begins and ends without waiting. The other rules of the guard look as always.", "good"


def _covered(scopes: Iterable[tuple[int | None, int | None, int | None, int | None]]) -> Q | None:
    """The listings that any of these scopes (ids of channel, category, item, listing) covers; None: there are no scopes."""
    listings: set[int] = set()
    items: dict[int | None, set[int]] = {}
    channels: set[int] = set()
    categories: list[tuple[int | None, int]] = []
    is_all = False
    for channel_id, category_id, item_id, listing_id in scopes:
        if listing_id is not None:
            listings.add(listing_id)
        elif item_id is not None:
            items.setdefault(channel_id, set()).add(item_id)
        elif category_id is not None:
            categories.append((channel_id, category_id))
        elif channel_id is not None:
            channels.add(channel_id)
        else:
            is_all = True
    if is_all:
        return Q()
    parts = [Q(pk__in=listings)] if listings else []
    parts += [Q(channel__in=channels)] if channels else []
    parts += [_on(channel_id, item__in=found) for channel_id, found in items.items()]
    parts += [_on(channel_id, item__category__in=below) for channel_id, below in _below(categories)]
    found = None
    for part in parts:
        found = part if found is None else found | part
    return found


def _on(channel_id: int | None, **wanted: Any) -> Q:
    return Q(**wanted) if channel_id is None else Q(channel=channel_id, **wanted)


def _below(categories: Sequence[tuple[int | None, int]]) -> list[tuple[int | None, set[int]]]:
    """The categories below each, by channel."""
    found: dict[int | None, set[int]] = {}
    for channel_id, pk in categories:
        found.setdefault(channel_id, set()).add(pk)
    children: dict[int | None, list[int]] = {}
    if found:
        for pk, parent in ItemCategory.objects.values_list("pk", "parent_id"):
            children.setdefault(parent, []).append(pk)
    for chosen in found.values():
        waiting = list(chosen)
        while waiting:
            below = [pk for pk in children.get(waiting.pop(), ()) if pk not in chosen]
            chosen.update(below)
            waiting += below
    return list(found.items())
