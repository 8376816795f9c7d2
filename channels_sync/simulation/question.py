"""What a person asks of the simulator, as it is stored beside its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from channels_sync.allocation.vocabulary import BY_COLUMN, CHOICE, DATE, DAYS, HOURS, WHOLE
from channels_sync.simulation.case import SupplyKind
from inventory.quantities import as_text

START_NOW, START_THEN, START_LEVEL = "now", "then", "level"
"""What is there at the start: what is available at present, what was on hand on the first day, or the order-up-to level."""
STARTS = (START_NOW, START_THEN, START_LEVEL)
WEEKS_MAX = 104
PERCENT_MAX = 10_000
DAYS_MAX = 365
LATE_MINUTES_MAX = 7 * 24 * 60
SEED_MAX = 2_000_000_000
ASSUMED_LENGTH = 500


@dataclass(frozen=True, slots=True)
class ProposedRule:
    """Terms (by column) for one scope, by ids; all empty is everything. With `campaign` it stands above all lasting rules."""

    terms: Mapping[str, Any]
    channel_id: int | None = None
    category_id: int | None = None
    item_id: int | None = None
    listing_id: int | None = None
    campaign: str = ""

    def to_json(self) -> dict[str, Any]:
        scope = {
            "channel": self.channel_id,
            "category": self.category_id,
            "item": self.item_id,
            "listing": self.listing_id,
        }
        found: dict[str, Any] = {name: pk for name, pk in scope.items() if pk is not None}
        found["terms"] = {column: _plain(value) for column, value in self.terms.items() if value not in (None, "")}
        if self.campaign:
            found["campaign"] = self.campaign
        return found

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> ProposedRule:
        return cls(
            terms={column: _value(column, value) for column, value in kept["terms"].items()},
            channel_id=kept.get("channel"),
            category_id=kept.get("category"),
            item_id=kept.get("item"),
            listing_id=kept.get("listing"),
            campaign=kept.get("campaign", ""),
        )


@dataclass(frozen=True, slots=True)
class Question:
    """`weeks` whole weeks up to `last_day`, demand times `percent` of a hundred, for items that fit all of what is named.

    All channels of an item take part, since they draw on one stock. `rules` stand against those in force. `late` is the
    minutes until news is shown, by channel id, `late_minutes` for the others. The same question on the same data gives the
    same answer; `seed` draws the moments of a day's orders. `assumed` are words of whoever asks: what the data do not say and was
    decided when they were brought in. They change nothing.
    """

    last_day: date
    rules: tuple[ProposedRule, ...]
    weeks: int = 8
    percent: int = 100
    channel_ids: tuple[int, ...] = ()
    category_id: int | None = None
    item_id: int | None = None
    supply: SupplyKind = SupplyKind.LEVEL
    lead_days: int = 7
    cover_days: int = 14
    start: str = START_NOW
    late_minutes: int = 10
    late: Mapping[int, int] = field(default_factory=dict)
    seed: int = 1
    assumed: str = ""

    @property
    def days(self) -> int:
        return self.weeks * 7

    @property
    def first_day(self) -> date:
        return self.last_day - timedelta(days=self.days - 1)

    def late_of(self, channel_id: int) -> int:
        return self.late.get(channel_id, self.late_minutes)

    def to_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "last_day": self.last_day.isoformat(),
            "weeks": self.weeks,
            "percent": self.percent,
            "channels": list(self.channel_ids),
            "category": self.category_id,
            "item": self.item_id,
            "supply": self.supply.value,
            "lead_days": self.lead_days,
            "cover_days": self.cover_days,
            "start": self.start,
            "late_minutes": self.late_minutes,
            "late": {str(channel): minutes for channel, minutes in sorted(self.late.items())},
            "seed": self.seed,
            "rules": [rule.to_json() for rule in self.rules],
        }
        if self.assumed:
            found["assumed"] = self.assumed
        return found

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Question:
        return cls(
            last_day=date.fromisoformat(kept["last_day"]),
            rules=tuple(ProposedRule.from_json(rule) for rule in kept["rules"]),
            weeks=kept["weeks"],
            percent=kept["percent"],
            channel_ids=tuple(kept["channels"]),
            category_id=kept["category"],
            item_id=kept["item"],
            supply=SupplyKind(kept["supply"]),
            lead_days=kept["lead_days"],
            cover_days=kept["cover_days"],
            start=kept["start"],
            late_minutes=kept["late_minutes"],
            late={int(channel): minutes for channel, minutes in kept["late"].items()},
            seed=kept["seed"],
            assumed=kept.get("assumed", ""),
        )


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return as_text(value)
    return value.isoformat() if isinstance(value, date) else value


def _value(column: str, value: Any) -> Any:
    kind = BY_COLUMN[column].kind
    if kind == DATE:
        return date.fromisoformat(value)
    return value if kind in (CHOICE, DAYS, HOURS, WHOLE) else Decimal(value)
