"""Setting how much of what is available a channel may show."""

from __future__ import annotations

from decimal import Decimal

from django.db import connection
from django.utils import timezone

from channels_sync.models import AllocationPolicy, Channel, Listing
from channels_sync.operations.recomputing import tell_items_changed
from inventory.errors import InvalidQuantity, WrongState
from inventory.models import Item
from inventory.operations.posting import Actor
from inventory.operations.transactions import operation
from inventory.quantities import ZERO, as_text, is_exact

PERCENT_MAX = Decimal(100)
PERCENT_STEP = Decimal("0.001")


@operation
def set_policy(
    *,
    actor: Actor,
    channel: Channel | None = None,
    item: Item | None = None,
    listing: Listing | None = None,
    percent: Decimal | None = None,
    buffer: Decimal | None = None,
    minimum_to_list: Decimal | None = None,
    maximum_to_list: Decimal | None = None,
    note: str = "",
) -> AllocationPolicy:
    """Put a new version of the rule for one scope in force from now on, and end the version before it.

    The scope is everything, a channel, an item, an item on a channel, or a listing alone. Quantities are in the item's
    stock unit; an empty term is inherited from the wider scope. The same terms again change nothing. Every listing the
    scope covers is recomputed soon. Raises InvalidQuantity for a term out of its range.
    """
    if listing is not None and (channel is not None or item is not None):
        raise ValueError("a listing says its channel and item itself; give it alone")
    terms = {
        "percent": percent,
        "buffer": buffer,
        "minimum_to_list": minimum_to_list,
        "maximum_to_list": maximum_to_list,
    }
    _check(terms)
    scope = {"channel": channel, "item": item, "listing": listing}
    _lock_scope(channel, item, listing)
    versions = AllocationPolicy.objects.filter(
        **{name if one is not None else f"{name}__isnull": one or True for name, one in scope.items()}
    )
    newest = versions.order_by("-version").first()
    now = timezone.now()
    if newest is not None and newest.effective_to is None:
        if {name: getattr(newest, name) for name in terms} == terms and newest.note == note:
            return newest
        if newest.effective_from > now:
            raise WrongState(
                f"{newest} begins only on {timezone.localtime(newest.effective_from):%Y-%m-%d %H:%M}. "
                "Change the rule after that moment.",
                policy=newest.pk,
            )
        newest.effective_to = now
        _save(newest, actor)
    policy = AllocationPolicy(
        **scope,
        **terms,
        version=newest.version + 1 if newest else 1,
        note=note,
        effective_from=now,
        created_by_id=getattr(actor, "pk", None),
    )
    _save(policy, actor)
    tell_items_changed(items=_items_in(channel=channel, item=item, listing=listing), cause="policy")
    return policy


def _save(policy: AllocationPolicy, actor: Actor) -> None:
    """Save with its history, which names the actor."""
    policy._history_user = actor if actor is not None and actor.is_authenticated else None  # type: ignore[attr-defined]
    policy.save()


def _check(terms: dict[str, Decimal | None]) -> None:
    for name, value in terms.items():
        if value is None:
            continue
        words = name.replace("_", " ")
        if value.is_nan() or value < ZERO or not is_exact(value):
            raise InvalidQuantity(
                f"The {words} is {value}. Give 0 or more with at most six decimal places, or leave it empty.",
                term=name,
                value=str(value),
            )
        if name == "percent" and (value > PERCENT_MAX or value % PERCENT_STEP):
            raise InvalidQuantity(
                f"The percent is {as_text(value)}. Give 0 to 100 with at most three decimal places, or leave it empty.",
                term=name,
                value=str(value),
            )


def _lock_scope(channel: Channel | None, item: Item | None, listing: Listing | None) -> None:
    """Changes of one scope queue up, the first one too, when there is no row to lock yet."""
    ids = ":".join(str(one.pk) if one is not None else "-" for one in (channel, item, listing))
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"channels_sync.policy:{ids}"])


def _items_in(*, channel: Channel | None, item: Item | None, listing: Listing | None) -> set[int]:
    if listing is not None:
        return {listing.item_id}
    if item is not None:
        return {item.pk}
    covered = Listing.objects.published()
    if channel is not None:
        covered = covered.filter(channel=channel)
    return set(covered.values_list("item_id", flat=True))
