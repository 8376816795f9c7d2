"""Offering items on channels: listings, and the channel's own names for them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from simple_history.utils import bulk_create_with_history, bulk_update_with_history

from channels_sync.adapters.base import (
    ChannelAdapter,
    ChannelLocation,
    ListingDirectory,
    ListingMatch,
    ListingMatchState,
)
from channels_sync.errors import ChannelRejected
from channels_sync.models import Channel, Listing, ListingPush
from channels_sync.operations.absorbing import renew_figures
from channels_sync.operations.opening import open_channel
from channels_sync.operations.outbox import Claim, Refused, Settlement
from channels_sync.operations.pieces import Width, forget_shown
from channels_sync.operations.recomputing import tell_items_changed
from inventory.errors import InvalidQuantity, WrongState
from inventory.models import Item, Location
from inventory.operations.posting import Actor
from inventory.operations.transactions import operation
from inventory.quantities import ZERO, is_exact
from inventory.wakeups import wake_after_commit

LISTINGS_PER_SEARCH = 200


@operation
def set_sources(*, channel: Channel, places: Collection[Location], actor: Actor) -> bool:
    """Offer the stock of these places on a channel; of none: of every sellable site. Returns whether that is another choice.

    Everything it lists is worked out anew soon.
    """
    channel = Channel.objects.select_for_update(of=("self",), no_key=True).get(pk=channel.pk)
    if {place.pk for place in places} == set(channel.source_locations.values_list("pk", flat=True)):
        return False
    channel._history_user = actor if actor is not None and actor.is_authenticated else None  # type: ignore[attr-defined]
    channel.source_locations.set(places)
    items = set(channel.listings.values_list("item_id", flat=True))
    tell_items_changed(items=items, cause="channel sources", actor=actor)
    return True


@operation
def create_listing(
    *,
    channel: Channel,
    item: Item,
    actor: Actor,
    external_sku: str = "",
    external_item_id: str = "",
    title: str = "",
    pack_size: Decimal = Decimal(1),
) -> Listing:
    """Offer `item` on `channel` in packs of `pack_size` stock units, under its own SKU unless another is given.

    The figure is worked out, and sent when the channel is automatic, within seconds. Raises WrongState for an item that
    may not be sold or a SKU the channel already has a listing for, InvalidQuantity for a pack size.
    """
    external_sku = external_sku.strip() or item.sku
    if not item.is_active or not item.is_sellable:
        raise WrongState(
            f"{item.sku} is {'not marked as sellable' if item.is_active else 'inactive'}, so it cannot be listed. "
            "Change the item first.",
            item=item.sku,
        )
    if pack_size <= ZERO or not is_exact(pack_size):
        raise InvalidQuantity(
            f"A pack of {pack_size} {item.stock_unit} cannot be sold. Give a positive number with at most six decimals.",
            pack_size=str(pack_size),
        )
    listing = Listing(
        channel=channel,
        item=item,
        external_sku=external_sku,
        external_item_id=external_item_id,
        title=title or item.name,
        pack_size=pack_size,
    )
    listing._history_user = actor if actor is not None and actor.is_authenticated else None  # type: ignore[attr-defined]
    try:
        with transaction.atomic():
            listing.save()
    except IntegrityError as error:
        if "channels_sync_listing_sku_once" not in str(error):
            raise
        raise WrongState(
            f"{channel.name} already has a listing with the SKU {external_sku}. Change that one, or give another SKU.",
            channel=channel.code,
            external_sku=external_sku,
        ) from None
    ListingPush.objects.create(listing=listing, channel=channel)
    tell_items_changed(items=[item.pk], cause="listing", actor=actor)
    return listing


@operation
def save_listing(*, listing: Listing, save: Callable[[], object], actor: Actor) -> None:
    """Save a known listing by `save`, and have its figure worked out anew.

    Where it names another item of the channel from now on, its figure is sent there, and what that shows is read first.
    """
    stored = Listing.objects.filter(pk=listing.pk).first()
    save()
    tell_items_changed(items=[listing.item_id], cause="listing", actor=actor)
    if stored is not None and stored.external_item_id != listing.external_item_id:
        renew_links([listing.pk], actor=actor)


def still_shows_words(listing: Listing) -> str:
    """What a channel goes on showing of a listing that is not offered any more, and what to do about it."""
    return (
        f"{listing.channel.name} still shows {listing.still_shows} of {listing.external_sku}, and nothing is sent to it any "
        "more. Set it to 0 there, or switch the listing on again and freeze it at zero."
    )


def renew_links(listing_ids: Collection[int], *, actor: Actor) -> None:
    """These listings name other items of their channel now: what was known of the old ones does not hold for them."""
    forget_shown(sorted(listing_ids))  # of those too that are not published at the moment
    renew_figures(width=Width.of_listings(listing_ids), cause="link", actor=actor, forgets_shown=True)


@operation
def save_listings(
    *, new: Sequence[Listing], changed: Sequence[Listing], fields: Sequence[str], actor: Actor, reason: str = ""
) -> None:
    """Keep many checked listings with the person in their history, and have the figures of their items worked out.

    `fields` are those in which the changed ones differ. The number of statements does not grow with the rows.
    """
    user = actor if isinstance(actor, get_user_model()) else None
    if new:
        made = bulk_create_with_history(list(new), Listing, default_user=user, default_change_reason=reason)
        ListingPush.objects.bulk_create(ListingPush(listing=one, channel_id=one.channel_id) for one in made)
    stored = dict(Listing.objects.filter(pk__in=[one.pk for one in changed]).values_list("pk", "external_item_id"))
    if changed:
        bulk_update_with_history(list(changed), Listing, list(fields), default_user=user, default_change_reason=reason)
    if changed and "external_item_id" in fields:
        renew_links([one.pk for one in changed if stored[one.pk] != one.external_item_id], actor=actor)
    if new or changed:
        tell_items_changed(items={one.item_id for one in (*new, *changed)}, cause="listing", actor=actor)


@dataclass(slots=True)
class Discovery:
    """SKUs by what the channel has under them."""

    linked: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    ambiguous: list[str] = field(default_factory=list)
    untracked: list[str] = field(default_factory=list)
    """Linked, but the channel does not count them: they sell without limit."""


def discover_listings(*, channel: Channel, listings_max: int = LISTINGS_PER_SEARCH) -> Discovery:
    """Ask the channel for the ids of listings that have none yet, up to `listings_max` of them. Raises ChannelError.

    Must not be called inside a transaction.
    """
    nameless = list(
        Listing.objects.filter(channel=channel, is_active=True, external_item_id="").order_by("pk")[:listings_max]
    )
    found = Discovery()
    if not nameless:
        return found
    with open_channel(channel) as adapter:
        choose_location(channel, adapter)
        if not isinstance(adapter, ListingDirectory):
            raise ChannelRejected(f"{adapter.name} cannot look up listings by SKU. Enter their ids by hand.")
        matches = adapter.discover_listings([listing.external_sku for listing in nameless])
    by_id = {listing.pk: match for listing, match in zip(nameless, matches, strict=True)}
    _store_links(by_id)
    for match in matches:
        if match.state is ListingMatchState.AMBIGUOUS:
            found.ambiguous.append(match.sku)
        elif match.listing is None:
            found.missing.append(match.sku)
        else:
            found.linked.append(match.sku)
            if not match.listing.is_tracked:
                found.untracked.append(match.sku)
    return found


def channel_locations(*, channel: Channel) -> list[ChannelLocation]:
    """The places the channel keeps stock for, to choose from. Raises ChannelError. Not inside a transaction."""
    with open_channel(channel) as adapter:
        if not isinstance(adapter, ListingDirectory):
            raise ChannelRejected(f"{adapter.name} cannot list its locations. Enter the id by hand.")
        return adapter.locations()


def choose_location(channel: Channel, adapter: ChannelAdapter) -> Channel:
    """The channel with the location to write to; when none is set, the channel's only possible one is taken.

    Raises ChannelRejected, naming them, when a person has to choose.
    """
    if channel.external_location_id:
        return channel
    if not isinstance(adapter, ListingDirectory):
        raise ChannelRejected(f"{channel.name} has no location to write to. Enter its id.")
    fitting = [
        place
        for place in adapter.locations()
        if place.is_active and place.fulfills_online_orders and not place.is_fulfillment_service
    ]
    if len(fitting) != 1:
        names = (
            ", ".join(f"{place.name} ({place.external_id})" for place in fitting) or "none that serves online orders"
        )
        raise ChannelRejected(f"{channel.name} has these locations: {names}. Choose the one to write to.")
    Channel.objects.filter(pk=channel.pk, external_location_id="").update(external_location_id=fitting[0].external_id)
    channel.external_location_id = fitting[0].external_id
    return channel


@dataclass(frozen=True, slots=True)
class Links:
    """Claims that now have the channel's id, and the end of those that could not get one."""

    linked: Sequence[Claim]
    settlements: Sequence[Settlement]


def link_claims(adapter: ChannelAdapter, claims: Sequence[Claim]) -> Links:
    """Look up the channel's ids for claims whose listing has none. Raises ChannelError."""
    nameless = [claim for claim in claims if not claim.external_item_id]
    if not nameless:
        return Links((), ())
    if not isinstance(adapter, ListingDirectory):
        words = "{sku}: the channel's id of this listing is not known. Enter it."
        return Links((), [Refused(claim, words.format(sku=claim.sku)) for claim in nameless])
    matches = find_on_channel(adapter, {claim.listing_id: claim.sku for claim in nameless})
    linked: list[Claim] = []
    refused: list[Settlement] = []
    for claim in nameless:
        match = matches[claim.listing_id]
        if match.listing is not None:
            linked.append(claim._replace(external_item_id=match.listing.external_item_id))
        elif match.state is ListingMatchState.AMBIGUOUS:
            refused.append(Refused(claim, f"{claim.sku}: the channel has several items with this SKU. Choose one."))
        else:
            refused.append(Refused(claim, f"{claim.sku}: the channel has no item with exactly this SKU. Add it there."))
    return Links(linked, refused)


def find_on_channel(adapter: ChannelAdapter, skus: Mapping[int, str]) -> dict[int, ListingMatch]:
    """What the channel has under the SKUs of listings (by id), whose ids are kept; nothing where it cannot be asked."""
    if not skus or not isinstance(adapter, ListingDirectory):
        return {}
    matches = dict(zip(skus, adapter.discover_listings(list(skus.values())), strict=True))
    _store_links(matches)
    return matches


def _store_links(matches: dict[int, ListingMatch]) -> None:
    found = {listing_id: match.listing for listing_id, match in matches.items() if match.listing is not None}
    if not found:
        return
    with transaction.atomic():
        chosen = Listing.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=found, external_item_id="")
        listings = list(chosen.order_by("pk"))
        for listing in listings:
            listing.external_item_id = found[listing.pk].external_item_id
            listing.title = listing.title or found[listing.pk].title[:250]
        bulk_update_with_history(
            listings, Listing, ["external_item_id", "title"], default_change_reason="found on the channel"
        )
        ListingPush.objects.filter(listing__in=listings, lease_until__isnull=True).update(next_at=None)
        wake_after_commit()
