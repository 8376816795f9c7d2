"""How the state of a schedule is shown."""

from inventory.reads.schedules import ScheduleState

BADGES = {
    ScheduleState.GOOD: ("Runs", "good", "check_circle"),
    ScheduleState.NEW: ("Has not run yet", "quiet", "hourglass_empty"),
    ScheduleState.LATE: ("Late", "blocked", "schedule"),
    ScheduleState.FAILED: ("Failed", "blocked", "error"),
    ScheduleState.OFF: ("Off", "look", "pause_circle"),
}
"""A word, its tone and an icon."""
