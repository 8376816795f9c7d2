"""Simulations as they are looked at: the question in words, the answer in figures, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from channels_sync.allocation.plain import sentences
from channels_sync.models import AllocationPolicy, Campaign, Channel, Listing, Simulation
from channels_sync.simulation import ProposedRule, Question, SupplyKind
from channels_sync.simulation.question import START_LEVEL, START_THEN
from inventory.models import Item, ItemCategory

WEEK_DAYS = 7


@dataclass(frozen=True, slots=True)
class Pair:
    """One figure under both sets of rules. `is_good_high`: None where more is neither better nor worse."""

    label: str
    present: Decimal | None
    proposed: Decimal | None
    hint: str = ""
    is_good_high: bool | None = None

    @property
    def difference(self) -> Decimal | None:
        return None if self.present is None or self.proposed is None else self.proposed - self.present

    @property
    def tone(self) -> str:
        """good, blocked or nothing: whether the proposed rules do better here."""
        if self.is_good_high is None or not self.difference:
            return ""
        return "good" if (self.difference > 0) == self.is_good_high else "blocked"


MEASURES = (
    ("demanded", "Asked for", "What customers wanted, in stock units.", None),
    ("sold", "Sold", "Taken of what was shown.", True),
    ("lost", "Lost", "Asked for beyond what was shown.", False),
    ("oversold", "Oversold", "Of what was sold, beyond what was there; it waits for the next arrival.", False),
    ("zero_days", "Days at 0", "Listings times days that ended with nothing shown.", False),
    (
        "exposure",
        "Exposure",
        "Shown by what is there, average of all days. Above 1 the same unit is shown twice.",
        None,
    ),
    ("exposure_most", "Exposure, most", "The highest of any day.", None),
)
HEADLINES = ("sold", "lost", "oversold", "out_days", "exposure")


@dataclass(frozen=True, slots=True)
class ChannelRows:
    name: str
    pairs: Sequence[Pair]


@dataclass(frozen=True, slots=True)
class WorstItem:
    item_id: int
    sku: str
    sold: Pair
    lost: Pair
    oversold: Pair
    out_days: Pair


@dataclass(frozen=True, slots=True)
class WeekRow:
    begins: date
    sold: Pair
    lost: Pair
    oversold: Pair


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a simulation that is done."""

    headlines: Sequence[Pair]
    channels: Sequence[ChannelRows]
    balance: Sequence[Pair]
    weeks: Sequence[WeekRow]
    worst: Sequence[WorstItem]
    notices: Sequence[str]
    items: int
    listings: int


def answer_of(simulation: Simulation) -> Answer | None:
    """None while there is none."""
    kept = simulation.result
    if kept is None:
        return None
    sides = (kept["present"], kept["proposed"])
    totals = tuple(side["totals"] for side in sides)
    by_name = {
        **{name: _pair(totals, name, label, hint, good) for name, label, hint, good in MEASURES},
        "out_days": _pair(totals, "out_days", "Out of stock", "Items times days that ended with nothing left.", False),
    }
    channels = [
        ChannelRows(
            kept["names"].get(str(one["channel"]), "A channel that is gone"),
            [_pair((one, other), name, label, hint, good) for name, label, hint, good in MEASURES],
        )
        for one, other in zip(sides[0]["channels"], sides[1]["channels"], strict=True)
    ]
    together = ChannelRows("All channels", [by_name[name] for name, *_ in MEASURES])
    first = date.fromisoformat(kept["first_day"])
    return Answer(
        headlines=[by_name[name] for name in HEADLINES],
        channels=channels if len(channels) == 1 else [*channels, together],
        balance=[
            _pair(totals, "start", "At the start", "", None),
            _pair(totals, "supplied", "Came in", "", None),
            _pair(totals, "sold", "Sold", "", None),
            _pair(totals, "left", "Left, less what is owed", "", None),
        ],
        weeks=[
            WeekRow(first + timedelta(days=WEEK_DAYS * number), *_triple(one, other))
            for number, (one, other) in enumerate(zip(sides[0]["weeks"], sides[1]["weeks"], strict=True))
        ],
        worst=[_worst(row) for row in kept["worst"]],
        notices=kept["notices"],
        items=kept["items"],
        listings=kept["listings"],
    )


def _pair(sides: Sequence[Mapping[str, Any]], name: str, label: str, hint: str, good: bool | None) -> Pair:
    present, proposed = (None if side[name] is None else Decimal(side[name]) for side in sides)
    return Pair(label, present, proposed, hint, good)


def _triple(one: Sequence[str], other: Sequence[str]) -> tuple[Pair, Pair, Pair]:
    good = (True, False, False)
    labels = ("Sold", "Lost", "Oversold")
    first, second, third = (
        Pair(label, Decimal(before), Decimal(after), "", is_good)
        for label, before, after, is_good in zip(labels, one, other, good, strict=True)
    )
    return first, second, third


def _worst(row: Mapping[str, Any]) -> WorstItem:
    sides = (row["present"], row["proposed"])
    return WorstItem(
        row["item"],
        row["sku"],
        _pair(sides, "sold", "Sold", "", True),
        _pair(sides, "lost", "Lost", "", False),
        _pair(sides, "oversold", "Oversold", "", False),
        _pair(sides, "out_days", "Days out of stock", "", False),
    )


@dataclass(frozen=True, slots=True)
class RuleWords:
    """A proposed rule: what it is for and what it says. `edit` are the fields of the policy editor, None for a campaign."""

    scope: str
    words: Sequence[str]
    campaign: str
    edit: Mapping[str, str] | None


def rules_in_words(question: Question) -> list[RuleWords]:
    """At most four statements for any number of rules."""
    names = _Names(question.rules)
    return [
        RuleWords(names.scope(rule), sentences(rule.terms), rule.campaign, names.editor(rule))
        for rule in question.rules
    ]


class _Names:
    def __init__(self, rules: Sequence[ProposedRule]) -> None:
        def wanted(name: str) -> set[int]:
            return {pk for rule in rules if (pk := getattr(rule, name)) is not None}

        self._channels = Channel.objects.in_bulk(wanted("channel_id"))
        self._categories = ItemCategory.objects.in_bulk(wanted("category_id"))
        self._items = Item.objects.in_bulk(wanted("item_id"))
        self._listings = Listing.objects.select_related("channel").in_bulk(wanted("listing_id"))

    def scope(self, rule: ProposedRule) -> str:
        gone = "something that is gone"
        if rule.listing_id is not None:
            return f"Listing {self._listings.get(rule.listing_id, gone)}"
        channel = "" if rule.channel_id is None else f" on {self._channels.get(rule.channel_id, gone)}"
        if rule.item_id is not None:
            return f"Item {self._items.get(rule.item_id, gone)}{channel}"
        if rule.category_id is not None:
            return f"Category {self._categories.get(rule.category_id, gone)}{channel}"
        return f"Channel{channel.removeprefix(' on')}" if channel else "Everywhere"

    def editor(self, rule: ProposedRule) -> Mapping[str, str] | None:
        """What the policy editor is opened with."""
        if rule.campaign:
            return None
        found = {name: str(value) for name, value in rule.to_json()["terms"].items()}
        listing = self._listings.get(rule.listing_id) if rule.listing_id is not None else None
        channel_id = listing.channel_id if listing is not None else rule.channel_id
        if channel_id is not None:
            found["channel"] = str(channel_id)
        if listing is not None:
            found["listing_sku"] = listing.external_sku
        if rule.category_id is not None:
            found["category"] = str(rule.category_id)
        if rule.item_id is not None and rule.item_id in self._items:
            found["item"] = self._items[rule.item_id].sku
        return found


def assumptions_in_words(question: Question) -> list[str]:
    """What was assumed, a sentence each. At most three statements."""
    channels = dict(Channel.objects.filter(pk__in=[*question.channel_ids, *question.late]).values_list("pk", "name"))
    found = [
        f"{question.weeks} weeks, {question.first_day:%-d %B %Y} to {question.last_day:%-d %B %Y}, "
        f"demand {'as it was' if question.percent == 100 else f'times {Decimal(question.percent) / 100:f}'}."
    ]
    if question.channel_ids:
        names = ", ".join(channels.get(pk, "a channel that is gone") for pk in question.channel_ids)
        found.append(f"Items listed on {names}; all their channels take part.")
    if question.category_id is not None:
        category = ItemCategory.objects.filter(pk=question.category_id).first()
        found.append(f"Category {category or 'that is gone'} with all below it.")
    if question.item_id is not None:
        found.append(f"Item {Item.objects.filter(pk=question.item_id).first() or 'that is gone'}.")
    found.append(_supply_in_words(question))
    start = {
        START_THEN: "What was on hand on the first day is there at the start.",
        START_LEVEL: "The level that is ordered up to is there at the start.",
    }
    found.append(start.get(question.start, "What is available when the simulation runs is there at the start."))
    late = f"A channel shows news {question.late_minutes} minutes later"
    others = [f"{channels.get(pk, 'a channel')} {minutes}" for pk, minutes in question.late.items()]
    found.append(f"{late} ({', '.join(others)})." if others else f"{late}.")
    found.append(
        "All stock of an item is one pool. A day's orders come at moments drawn by the seed, up to 24 customers a day; "
        f"seed {question.seed}."
    )
    if question.assumed:
        found.append(question.assumed)
    return found


def _supply_in_words(question: Question) -> str:
    if question.supply == SupplyKind.GIVEN:
        return "What came in by receipts, completions and returns comes in again on the same days."
    if question.supply == SupplyKind.NONE:
        return "Nothing comes in."
    return (
        f"Ordered each morning when what is there and on order covers no more than {question.lead_days} days of average "
        f"demand, up to {question.lead_days + question.cover_days} days; it arrives {question.lead_days} days later."
    )


def has_same_inputs(simulation: Simulation) -> bool | None:
    """Whether a repetition read the very data of the one it repeats; None where there is nothing to compare."""
    before = simulation.repeats
    if before is None or not simulation.fingerprint or not before.fingerprint:
        return None
    return simulation.fingerprint == before.fingerprint


def has_same_answer(simulation: Simulation) -> bool:
    return simulation.repeats is not None and simulation.result == simulation.repeats.result


def gains_of(simulation: Simulation) -> list[Pair]:
    """Sold, lost and oversold under both sets of rules; empty while there is no answer."""
    if simulation.result is None:
        return []
    sides = (simulation.result["present"]["totals"], simulation.result["proposed"]["totals"])
    by_name = {name: (label, good) for name, label, _, good in MEASURES}
    return [_pair(sides, name, by_name[name][0], "", by_name[name][1]) for name in ("sold", "lost", "oversold")]


def rule_of(policy: AllocationPolicy, campaign: str = "") -> ProposedRule:
    """A version that is stored as one that is proposed."""
    return ProposedRule(
        policy.terms, policy.channel_id, policy.category_id, policy.item_id, policy.listing_id, campaign
    )


def rules_of_campaign(campaign: Campaign) -> tuple[ProposedRule, ...]:
    """What a campaign that is not over sets, as proposed."""
    rules = campaign.rules.filter(effective_to=campaign.ends_at).order_by("pk")
    return tuple(rule_of(rule, campaign.name) for rule in rules)
