"""Setting how much of what is there a channel may show: lasting rules, planned ones, and what follows when they begin."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypedDict, Unpack

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connection
from django.db.models import Q
from django.utils import timezone

from channels_sync.allocation.vocabulary import BY_COLUMN, CHOICES, COLUMNS, PERCENT, SPECS
from channels_sync.causes import APPROVED_CAMPAIGN, BY_DATE
from channels_sync.models import AllocationPolicy, Campaign, Channel, Listing
from channels_sync.models.policies import AllocationPolicyQuerySet
from channels_sync.operations.recomputing import tell_items_changed
from channels_sync.reads.campaigns import approval_counts
from channels_sync.reads.scopes import items_in
from inventory.errors import InvalidQuantity, WrongState
from inventory.models import Item, ItemCategory
from inventory.operations.posting import Actor
from inventory.operations.transactions import operation
from inventory.quantities import ZERO, as_text, is_exact

PERCENT_MAX = Decimal(100)
PERCENT_STEP = Decimal("0.001")
WHOLE_MAX = 1_000_000
RULES_PER_TURN = 500


class TermValues(TypedDict, total=False):
    """What a rule may set; see allocation.vocabulary. None, empty or left out: inherited from the wider scope."""

    basis: str
    fixed_quantity: Decimal | None
    incoming_days: int | None
    buildable_percent: Decimal | None
    building: str
    divided_percent: Decimal | None
    supplier_percent: Decimal | None
    supplier_maximum: Decimal | None
    supplier_hours: int | None
    shelf_life_days: int | None
    buffer: Decimal | None
    buffer_percent: Decimal | None
    buffer_days: Decimal | None
    doubt_percent: Decimal | None
    percent: Decimal | None
    minimum_to_list: Decimal | None
    maximum_to_list: Decimal | None
    sharing: str
    weight: Decimal | None
    ring_fence: Decimal | None
    priority: int | None
    scarce_below: Decimal | None
    scarce_days: Decimal | None
    trial_limit: Decimal | None
    trial_until: date | None


@operation
def set_policy(
    *,
    actor: Actor,
    channel: Channel | None = None,
    category: ItemCategory | None = None,
    item: Item | None = None,
    listing: Listing | None = None,
    note: str = "",
    starts_at: datetime | None = None,
    **terms: Unpack[TermValues],
) -> AllocationPolicy:
    """Put a new version of the rule for one scope in force from now on, or from `starts_at`, and end the one before it.

    The scope is everything, a channel, a category or an item (each also on one channel), or a listing alone. Quantities are
    in the item's stock unit; an empty term is inherited from the wider scope. The same terms again change nothing. Every
    listing the scope covers is recomputed soon after the rule begins. Raises InvalidQuantity for a term out of its range and
    WrongState where a planned version waits already.
    """
    scope = checked_scope(channel=channel, category=category, item=item, listing=listing)
    values = checked_terms(terms)
    lock_scope(scope)
    versions = versions_of(scope)
    standing = versions.standing().first()  # not always the highest number: a planned version may have been withdrawn
    newest = versions.order_by("-version").first()
    now = timezone.now()
    begins_at = now if starts_at is None or starts_at <= now else starts_at
    if standing is not None:
        if standing.terms == _told(values) and standing.note == note and standing.effective_from <= begins_at:
            return standing
        if standing.effective_from > now:
            raise WrongState(
                f"{standing} begins only on {timezone.localtime(standing.effective_from):%Y-%m-%d %H:%M}. "
                "Change the rule after that moment, or withdraw what is planned.",
                policy=standing.pk,
            )
        standing.effective_to = begins_at
        save_policy(standing, actor)
    policy = AllocationPolicy(
        **scope,
        **values,
        version=newest.version + 1 if newest else 1,
        note=note,
        effective_from=begins_at,
        start_told=begins_at <= now,
        created_by_id=getattr(actor, "pk", None),
    )
    save_policy(policy, actor)
    if policy.start_told:
        tell_items_changed(items=items_in(**scope), cause="policy", actor=actor)
    return policy


@operation
def withdraw_policy(*, policy: AllocationPolicy, actor: Actor) -> AllocationPolicy | None:
    """Take back a version that has not begun; the one before it goes on. Returns that one, or None when there is none.

    Raises WrongState for a version that began: put another one in its place.
    """
    scope = {name: getattr(policy, name) for name in ("channel", "category", "item", "listing")}
    lock_scope(scope)
    policy = AllocationPolicy.objects.select_for_update(of=("self",), no_key=True).get(pk=policy.pk)
    if policy.campaign_id is not None or policy.effective_to is not None or policy.effective_from <= timezone.now():
        raise WrongState(
            f"{policy} is not a planned rule: it began, ended, or belongs to a campaign. Change the rule instead.",
            policy=policy.pk,
        )
    policy.effective_to = policy.effective_from
    policy.start_told = True
    save_policy(policy, actor)
    # Other versions that were withdrawn end at this moment too, and never began.
    ended_for_it = Q(effective_to=policy.effective_from, effective_from__lt=policy.effective_from)
    before = versions_of(scope).filter(ended_for_it).first()
    if before is not None:
        before.effective_to = None
        save_policy(before, actor)
    return before


@operation
def tell_dated_rules() -> int:
    """Have figures worked out for rules that began or ended by the clock since the last time. Returns these rules' number.

    What a campaign does that a second person approved is no bulk edit for the guard. The news names who set the rules and who
    planned or changed their campaigns: none of them approves alone what follows. Several may do this at once; each takes rules
    the others have not.
    """
    now = timezone.now()
    due = Q(start_told=False, effective_from__lte=now) | Q(end_told=False, effective_to__lte=now)
    rows = list(
        AllocationPolicy.objects.filter(due)
        .select_for_update(of=("self",), no_key=True, skip_locked=True)
        .select_related("channel", "category", "item", "listing", "created_by", "campaign__created_by")
        .order_by("pk")[:RULES_PER_TURN]
    )
    if not rows:
        return 0
    campaigns = {row.campaign for row in rows if row.campaign is not None}
    approved = {campaign.pk for campaign in campaigns if approval_counts(campaign)}
    people = get_user_model().objects.in_bulk({pk for campaign in campaigns for pk in campaign.actors})
    foreseen: defaultdict[Actor, set[int]] = defaultdict(set)
    others: defaultdict[Actor, set[int]] = defaultdict(set)
    for row in rows:
        touched = items_in(channel=row.channel, category=row.category, item=row.item, listing=row.listing)
        for person in _who_set(row, people):
            (foreseen if row.campaign_id in approved else others)[person] |= touched
    ids = [row.pk for row in rows]
    AllocationPolicy.objects.filter(pk__in=ids, effective_from__lte=now).update(start_told=True)
    AllocationPolicy.objects.filter(pk__in=ids, effective_to__lte=now).update(end_told=True)
    unforeseen = set().union(*others.values())
    for cause, by_person in ((APPROVED_CAMPAIGN, foreseen), (BY_DATE, others)):
        for person, touched in by_person.items():
            items = touched - unforeseen if cause == APPROVED_CAMPAIGN else touched
            tell_items_changed(items=items, cause=cause, actor=person)
    return len(rows)


def _who_set(rule: AllocationPolicy, people: Mapping[int, AbstractBaseUser]) -> set[Actor]:
    """Who set a rule, and who planned or changed its campaign; None alone where nobody is known."""
    found: set[Actor] = {rule.created_by}
    if rule.campaign is not None:
        found |= {rule.campaign.created_by, *(people.get(pk) for pk in rule.campaign.actors)}
    return found - {None} or {None}


# --- building blocks ---


def checked_scope(
    *,
    channel: Channel | None = None,
    category: ItemCategory | None = None,
    item: Item | None = None,
    listing: Listing | None = None,
) -> dict[str, Any]:
    """The scope by column. Raises ValueError for one that says two things."""
    if listing is not None and (channel is not None or item is not None or category is not None):
        raise ValueError("a listing says its channel and item itself; give it alone")
    if item is not None and category is not None:
        raise ValueError("a rule is for an item or for a category, not for both")
    return {"channel": channel, "category": category, "item": item, "listing": listing}


def checked_terms(terms: Mapping[str, Any]) -> dict[str, Any]:
    """Every column of a rule, empty ones as they are stored. Raises InvalidQuantity for a term out of its range."""
    unknown = set(terms) - set(COLUMNS)
    if unknown:
        raise TypeError(f"no terms of a policy: {', '.join(sorted(unknown))}")
    values: dict[str, Any] = {}
    for spec in SPECS:
        value = terms.get(spec.column)
        if spec.column in CHOICES:
            value = value or ""
            if value and value not in dict(CHOICES[spec.column]):
                raise InvalidQuantity(
                    f"{spec.label} is “{value}”. Choose one of {', '.join(dict(CHOICES[spec.column]))}.",
                    term=spec.column,
                    value=str(value),
                )
        elif isinstance(value, Decimal):
            _check_figure(spec.column, value)
        elif isinstance(value, int) and not 0 <= value <= WHOLE_MAX:
            raise InvalidQuantity(
                f"{spec.label} is {value}. Give a whole number from 0 to {WHOLE_MAX}, or leave it empty.",
                term=spec.column,
                value=str(value),
            )
        values[spec.column] = value
    low, high = values["minimum_to_list"], values["maximum_to_list"]
    if low is not None and high is not None and low > high:
        raise InvalidQuantity(
            f"It is shown from {as_text(low)} and at most {as_text(high)}, so it would always show 0. "
            "Lower the first or raise the second.",
            term="minimum_to_list",
            value=as_text(low),
        )
    if values["basis"] == "fixed" and values["fixed_quantity"] is None:
        raise InvalidQuantity("A fixed figure is chosen, and none is given. Give it.", term="fixed_quantity", value="")
    return values


def _told(values: Mapping[str, Any]) -> dict[str, Any]:
    return {column: value for column, value in values.items() if value not in (None, "")}


def _check_figure(column: str, value: Decimal) -> None:
    spec = BY_COLUMN[column]
    words = column.replace("_", " ")
    if value.is_nan() or value < ZERO or not is_exact(value):
        raise InvalidQuantity(
            f"The {words} is {value}. Give 0 or more with at most six decimal places, or leave it empty.",
            term=column,
            value=str(value),
        )
    if spec.kind == PERCENT and (value > PERCENT_MAX or value % PERCENT_STEP):
        raise InvalidQuantity(
            f"The {words} is {as_text(value)}. Give 0 to 100 with at most three decimal places, or leave it empty.",
            term=column,
            value=str(value),
        )


def save_policy(policy: AllocationPolicy, actor: Actor) -> None:
    """Save with its history, which names the actor."""
    policy._history_user = actor if actor is not None and actor.is_authenticated else None  # type: ignore[attr-defined]
    policy.save()


def lock_scope(scope: Mapping[str, Any]) -> None:
    """Changes of one scope queue up, the first one too, when there is no row to lock yet."""
    ids = ":".join(str(one.pk) if one is not None else "-" for one in scope.values())
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"channels_sync.policy:{ids}"])


def versions_of(scope: Mapping[str, Any], campaign: Campaign | None = None) -> AllocationPolicyQuerySet:
    """All versions of the rule of a scope: the lasting ones, or those of a campaign."""
    wanted = {name if one is not None else f"{name}__isnull": one or True for name, one in scope.items()}
    versions = AllocationPolicy.objects.filter(**wanted)
    return versions.lasting() if campaign is None else versions.filter(campaign=campaign)
