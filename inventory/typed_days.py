"""Days out of an address or a form that is not checked otherwise, and when they begin."""

from datetime import date, datetime, time

from django.utils import timezone
from django.utils.dateparse import parse_date

YEAR_MIN, YEAR_MAX = 1970, 2199
"""Years that are taken; a day more or less never leaves what the database and the calendar know."""


def typed_day(text: str) -> date | None:
    """The day that `2025-12-31` names; None for anything else, and for years nobody means."""
    try:
        day = parse_date(text.strip())
    except ValueError:
        return None
    return day if day is not None and YEAR_MIN <= day.year <= YEAR_MAX else None


def start_of(day: date) -> datetime:
    """When a day begins here."""
    return timezone.make_aware(datetime.combine(day, time()))
