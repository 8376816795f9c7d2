"""Which figures may go out at a moment, by the hours of the week people set. Pure: no database, no clock.

Windows are read on the wall clock of a time zone. On the night the clock is put forward, hours that do not exist are not
waited for; on the night it is put back, an hour that comes twice counts both times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from enum import IntEnum


class Flow(IntEnum):
    """What goes out. The smaller one of two that apply at once holds."""

    NOTHING = 0
    LOWERING = 1
    EVERYTHING = 2


@dataclass(frozen=True, slots=True)
class Window:
    """From `starts_at` on each of `weekdays` (0 is Monday) until `ends_at`, of the next day when that is not later.

    A quiet window keeps things back inside it, any other one outside of it (outside of all of its scope).
    """

    is_quiet: bool
    raises_only: bool
    weekdays: frozenset[int]
    starts_at: time
    ends_at: time

    def covers(self, local: datetime) -> bool:
        """Whether it holds at a wall-clock time. The start belongs to it, the end does not."""
        clock, today = local.time(), local.weekday()
        if self.starts_at < self.ends_at:
            return today in self.weekdays and self.starts_at <= clock < self.ends_at
        yesterday = (today - 1) % 7
        return (today in self.weekdays and clock >= self.starts_at) or (
            yesterday in self.weekdays and clock < self.ends_at
        )


def flow_at(windows: Sequence[Window], *, moment: datetime, zone: tzinfo) -> Flow:
    """What may go out at `moment` (aware) by these windows; everything when there are none."""
    local = moment.astimezone(zone)
    flow = Flow.EVERYTHING
    for raises_only, kept_back in ((False, Flow.NOTHING), (True, Flow.LOWERING)):
        found = [window for window in windows if window.raises_only is raises_only]
        opening = [window for window in found if not window.is_quiet]
        is_quiet = any(window.is_quiet and window.covers(local) for window in found)
        if is_quiet or (opening and not any(window.covers(local) for window in opening)):
            flow = min(flow, kept_back)
    return flow


def next_change(windows: Sequence[Window], *, moment: datetime, zone: tzinfo) -> datetime | None:
    """The next moment at which `flow_at` gives something else, in UTC; None when there is none within eight days."""
    now = flow_at(windows, moment=moment, zone=zone)
    first_day = moment.astimezone(zone).date() - timedelta(days=1)
    clocks = {clock for window in windows for clock in (window.starts_at, window.ends_at)}
    moments = sorted(
        datetime.combine(first_day + timedelta(days=day), clock, tzinfo=zone).replace(fold=fold).astimezone(UTC)
        for day in range(10)
        for clock in clocks
        for fold in (0, 1)
    )
    for candidate in moments:
        if candidate > moment and flow_at(windows, moment=candidate, zone=zone) is not now:
            return candidate
    return None
