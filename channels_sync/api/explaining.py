"""Why a listing shows its figure, for programs: the derivation, the settings behind it, and who was promised what."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from rest_framework import serializers

from channels_sync.allocation import recompute
from channels_sync.allocation.shaping import Setting, Shaped
from channels_sync.allocation.vocabulary import BY_TERM
from channels_sync.reads.explaining import Explanation
from inventory.api.fields import Anything, Body, DecimalOut, FlagOut, IdOut, MomentOut, TextOut
from inventory.quantities import as_text


class WhyQuery(Body):
    version = serializers.RegexField(
        "^[1-9][0-9]{0,17}$", required=False, default="", help_text="Left out: worked out now."
    )


class WhySettingSerializer(serializers.Serializer[Any]):
    """A setting in force for a figure, and the rule that set it."""

    shapes = TextOut(help_text="The term of the figure it shaped; empty: it had no effect on this figure.")
    name = TextOut(help_text="As in policies.")
    value = Anything(read_only=True, help_text="Decimals are texts; null: no limit.")
    is_set = FlagOut(help_text="False: no rule sets it, the default applies.")
    scope = TextOut(help_text="The level of the cascade it comes from, in words; empty: not set.")
    policy_id = IdOut(allow_null=True)
    version = IdOut(allow_null=True)
    author = TextOut()
    since = MomentOut(allow_null=True)
    campaign = TextOut()
    note = TextOut(help_text="What it did, where that is not plain.")
    listing_id = IdOut(help_text="Another listing of the item, where its rule decided.")


class WhyPromiseSerializer(serializers.Serializer[Any]):
    """What one reservation held when the figure was worked out, from the log of reservations."""

    reservation_id = IdOut()
    demand_kind = TextOut()
    demand_ref = TextOut()
    place = TextOut()
    lot = TextOut()
    is_pinned = FlagOut()
    source_id = IdOut(help_text="The source of the channel (location id) it lowered.")
    quantity = DecimalOut(help_text="In the stock unit.")


class WhySerializer(serializers.Serializer[Any]):
    """Why a listing shows a figure: as it was stored with a version, or as it would be now."""

    listing_id = IdOut()
    version = IdOut(allow_null=True, help_text="Null: worked out now, not stored.")
    quantity = IdOut()
    in_words = TextOut()
    recomputes = FlagOut(help_text="Whether the stored inputs give the stored quantity again.")
    agrees_with_ledger = FlagOut(help_text="Whether the ledger up to the cut-off gives the stock that was counted.")
    derivation = Anything(read_only=True, help_text="Every term of the figure with its source.")
    settings = WhySettingSerializer(many=True, read_only=True)
    promised = WhyPromiseSerializer(many=True, read_only=True, help_text="The largest fifty.")
    promised_count = IdOut()
    agrees_with_promises = FlagOut(help_text="Whether the log of reservations gives what was promised then.")


def explained(found: Explanation, *, version: int | None) -> dict[str, Any]:
    """As WhySerializer shows it."""
    derivation, promised = found.derivation, found.promised
    return {
        "listing_id": derivation.offer.listing_id,
        "version": version,
        "quantity": derivation.quantity,
        "in_words": derivation.in_words(),
        "recomputes": recompute(derivation) == derivation.quantity,
        "agrees_with_ledger": found.agrees_with_ledger,
        "derivation": derivation.to_json(),
        "settings": list(_settings_of(found)),
        "promised": promised.rows if promised else [],
        "promised_count": promised.count if promised else 0,
        "agrees_with_promises": found.agrees_with_promises,
    }


def _settings_of(found: Explanation) -> Iterator[dict[str, Any]]:
    """Those that shaped the figure, term by term; those of other listings; and those without effect."""
    own = found.derivation.offer.listing_id
    for shaped, settings in found.shaping.items():
        yield from (_setting(one, own, shapes=shaped.value) for one in settings)
    for other in found.others:
        yield from (_setting(one, other.listing_id, shapes=Shaped.POOL.value) for one in other.settings)
    yield from (_setting(one, own) for one in found.idle)


def _setting(one: Setting, listing_id: int, *, shapes: str = "") -> dict[str, Any]:
    rule, value = one.term.rule, one.term.value
    return {
        "shapes": shapes,
        "name": BY_TERM[one.name].column,
        "value": as_text(value) if isinstance(value, Decimal) else value,
        "is_set": one.is_set,
        "scope": rule.scope if one.is_set else "",
        "policy_id": rule.policy_id,
        "version": rule.version or None,
        "author": rule.author,
        "since": rule.since,
        "campaign": rule.campaign,
        "note": one.note,
        "listing_id": listing_id,
    }
