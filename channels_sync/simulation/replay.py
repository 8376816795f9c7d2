"""The days of one item, order by order.

A customer sees what the channel shows: the newest figure that has arrived there, less what the channel itself sold since that
figure was worked out (a figure is sent with the one the channel is known to show, so a sale of its own is never lost). Between
a change of stock and its arrival other channels still show the old figure; what they sell then may be more than exists.
A customer takes what is shown, up to what was wanted; the rest is lost. What was sold beyond what existed is oversold: it is
owed, the stock stands below zero, and the next arrival serves it. So always: start + supplied = sold + left.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from channels_sync.simulation.case import DAY_MINUTES, ItemCase, SupplyKind
from channels_sync.simulation.exposure import NOTHING, Exposure, Sold

WEEK_DAYS = 7
SOLD, LOST, OVERSOLD = 0, 1, 2


@dataclass(slots=True)
class ItemOutcome:
    """What became of one item. Lists are by listing; quantities in parts; days counted at their end.

    `steps_shown` and `steps_there` hold changes: by listing and day, and by day, what is shown and there from then on.
    """

    demanded: list[int]
    sold: list[int]
    oversold: list[int]
    zero_days: list[int]
    start: int = 0
    supplied: int = 0
    left: int = 0
    out_days: int = 0
    weeks: list[list[int]] = field(default_factory=list)
    steps_shown: list[dict[int, int]] = field(default_factory=list)
    steps_there: dict[int, int] = field(default_factory=dict)

    @property
    def lost(self) -> list[int]:
        return [wanted - got for wanted, got in zip(self.demanded, self.sold, strict=True)]


def replay(case: ItemCase, exposure: Exposure, *, days: int, demand_days: int) -> ItemOutcome:
    """Let `days` days pass under the rules behind `exposure`."""
    return _Replay(case, exposure, days=days, demand_days=demand_days).run()


class _Replay:
    def __init__(self, case: ItemCase, exposure: Exposure, *, days: int, demand_days: int) -> None:
        count = len(case.packs)
        self.case, self.exposure, self.days = case, exposure, days
        self.changes_daily = exposure.needs_demand or exposure.counts_incoming
        self.stock = case.start
        self.packs_sold = [0] * count
        self.on_order = 0
        arrivals = case.supply.arrivals if case.supply.kind == SupplyKind.GIVEN else ()
        self.arriving: deque[tuple[int, int]] = deque(arrivals)
        self.reviews = case.supply.kind == SupplyKind.LEVEL
        # What was true when: minute, stock, packs sold until then, what was on its way, demand before.
        self.moments: list[tuple[int, int, tuple[int, ...], tuple[tuple[int, int], ...], Sold | None]] = []
        self.seen = [0] * count
        self.recent = _Recent(case, window=demand_days)
        self.out = ItemOutcome(
            demanded=[0] * count,
            sold=[0] * count,
            oversold=[0] * count,
            zero_days=[0] * count,
            start=case.start,
            weeks=[[0, 0, 0] for _ in range(-(-days // WEEK_DAYS))],
            steps_shown=[{} for _ in range(count)],
        )
        self.shown_last = [0] * count
        self.there_last = 0
        self.counted_to = 0

    def run(self) -> ItemOutcome:
        self._remember(-DAY_MINUTES * 10_000, 0)  # everybody has heard of the start long ago
        orders, number, day = self.case.orders, 0, 0
        review_on = 0 if self.reviews else self.days
        while True:
            day = self._next_day(day, number, review_on)
            if day >= self.days:
                break
            self._count_days(day)
            begins = day * DAY_MINUTES
            changed = self._receive(day)
            if self.reviews and day >= review_on:
                changed = self._order_supply(day) or changed
                review_on = self.days
            if changed or self.changes_daily:
                self._remember(begins, day)
            had = number
            while number < len(orders) and orders[number].minute < begins + DAY_MINUTES:
                self._serve(*orders[number], day)
                number += 1
            if number > had and self.reviews:
                review_on = day + 1
            self._sample(day)
            day += 1
        self._count_days(self.days)
        self.out.left = self.stock
        return self.out

    def _next_day(self, day: int, number: int, review_on: int) -> int:
        """The next day, from `day` on, on which anything happens; the first day always counts."""
        if self.changes_daily or day == 0:
            return day
        orders = self.case.orders
        found = min(review_on, orders[number].minute // DAY_MINUTES if number < len(orders) else self.days)
        if self.arriving:
            found = min(found, self.arriving[0][0])
        return max(found, day)

    def _remember(self, minute: int, day: int) -> None:
        incoming, sold = NOTHING, None
        if self.exposure.counts_incoming:
            incoming = tuple((due - day, parts) for due, parts in self.arriving)
        if self.exposure.needs_demand:
            sold = self.recent.before(max(day, 0))
        self.moments.append((minute, self.stock, tuple(self.packs_sold), incoming, sold))

    def _receive(self, day: int) -> bool:
        came = False
        while self.arriving and self.arriving[0][0] <= day:
            _, parts = self.arriving.popleft()
            self.stock += parts
            self.out.supplied += parts
            self.on_order -= parts
            came = True
        return came

    def _order_supply(self, day: int) -> bool:
        """Order up to the level. True when it is there at once."""
        supply = self.case.supply
        position = self.stock + self.on_order
        if position > supply.reorder_at or position >= supply.level:
            return False
        self.arriving.append((day + supply.lead_days, supply.level - position))
        self.on_order += supply.level - position
        return self._receive(day)

    def _serve(self, minute: int, place: int, wanted: int, day: int) -> None:
        """One customer at one listing."""
        moments, late = self.moments, self.case.late[place]
        at = self.seen[place]
        while at + 1 < len(moments) and moments[at + 1][0] + late <= minute:
            at += 1
        self.seen[place] = at
        _, stock, packs_then, incoming, sold = moments[at]
        figure = self.exposure.shown(stock, incoming=incoming, sold=sold)[place]
        taken = min(wanted, max(0, figure - (self.packs_sold[place] - packs_then[place])))
        pack, out, week = self.case.packs[place], self.out, self.out.weeks[day // WEEK_DAYS]
        out.demanded[place] += wanted * pack
        week[LOST] += (wanted - taken) * pack
        if not taken:
            return
        parts = taken * pack
        beyond = max(0, parts - max(0, self.stock))
        self.stock -= parts
        self.packs_sold[place] += taken
        out.sold[place] += parts
        out.oversold[place] += beyond
        week[SOLD] += parts
        week[OVERSOLD] += beyond
        _, _, _, incoming, sold = moments[-1]
        moments.append((minute, self.stock, tuple(self.packs_sold), incoming, sold))

    def _sample(self, day: int) -> None:
        """What is shown and there at the end of a day, once everybody has heard of it."""
        _, stock, _, incoming, sold = self.moments[-1]
        figures = self.exposure.shown(stock, incoming=incoming, sold=sold)
        for place, figure in enumerate(figures):
            parts = figure * self.case.packs[place]
            if parts != self.shown_last[place]:
                self.out.steps_shown[place][day] = parts - self.shown_last[place]
                self.shown_last[place] = parts
        there = max(0, self.stock)
        if there != self.there_last:
            self.out.steps_there[day] = there - self.there_last
            self.there_last = there

    def _count_days(self, day: int) -> None:
        """Days up to `day` ended like the last one that was sampled."""
        span = day - self.counted_to
        if span <= 0:
            return
        self.counted_to = day
        if not self.there_last:
            self.out.out_days += span
        for place, parts in enumerate(self.shown_last):
            if not parts:
                self.out.zero_days[place] += span


class _Recent:
    """What was asked for in the `window` days before a day; days are asked for upwards, one by one."""

    def __init__(self, case: ItemCase, *, window: int) -> None:
        self._case, self._window = case, window
        self._sums = {
            channel: sum(parts for day, parts in days.items() if -window <= day < 0)
            for channel, days in case.demand.items()
        }
        self._day = 0

    def before(self, day: int) -> Sold:
        while self._day < day:
            for channel, days in self._case.demand.items():
                self._sums[channel] += days.get(self._day, 0) - days.get(self._day - self._window, 0)
            self._day += 1
        sums = self._sums
        return tuple(sums.get(channel, 0) for channel in self._case.channels), sum(sums.values())
