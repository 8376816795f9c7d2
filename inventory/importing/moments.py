"""Reading moments, which are a day and a time on the company's clock, and writing them so that they read back as they were.

An hour that the clock skips, or goes through twice, is refused rather than guessed; with an offset it is plain.
"""

from datetime import UTC, datetime, time, timedelta

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from inventory.importing.cells import read_date
from inventory.importing.errors import CellError

YEAR_MIN, YEAR_MAX = 1970, 2999
_FORMS = ("%Y/%m/%d %H:%M", "%Y/%m/%d %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S")


def read_moment(text: str) -> datetime:
    """A moment: `2026-12-01 08:00`, `2026-12-01T08:00:00+01:00`, `1.12.2026 08:00`; a date alone is its midnight.

    Without an offset it is on the company's clock. Raises CellError for anything else.
    """
    moment = _parsed(text) or _midnight(text)
    if not YEAR_MIN <= moment.year <= YEAR_MAX:
        raise CellError(f"“{text}” has the year {moment.year}. Type one from {YEAR_MIN} to {YEAR_MAX}.")
    return moment if timezone.is_aware(moment) else _on_our_clock(moment, text)


def read_moment_reported(text: str) -> datetime:
    """The moment a report is of; a day alone is the end of that day, or now while it lasts. Raises CellError."""
    moment = _parsed(text)
    if moment is None:
        end = datetime.combine(read_date(text) + timedelta(days=1), time())
        return min(timezone.make_aware(end), timezone.now())
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)


def moment_text(moment: datetime) -> str:
    """What `read_moment` reads back to the microsecond; the offset stands where the clock alone would leave a doubt."""
    local = timezone.localtime(moment)
    plain = local if _is_in_doubt(local) else local.replace(tzinfo=None)
    exact = "microseconds" if local.microsecond else "seconds" if local.second else "minutes"
    return plain.isoformat(sep=" ", timespec=exact)


def read_time(text: str) -> time:
    """A time of the day: `8:00`, `22:00`, `22:00:30`. Raises CellError."""
    for form in ("%H:%M", "%H:%M:%S"):
        try:
            return datetime.strptime(text.strip(), form).time()  # noqa: DTZ007  a time of any day
        except ValueError:
            continue
    raise CellError(f"“{text}” is not a time of the day. Type hour:minute, such as 22:00.")


def time_text(moment: time) -> str:
    """What `read_time` reads back."""
    return f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"


def _parsed(text: str) -> datetime | None:
    """With or without a zone, as typed; None where the text is no date with a time."""
    words = text.strip()
    if ":" not in words:
        return None
    try:
        moment = parse_datetime(words)
    except ValueError:
        moment = None
    if moment is not None:
        return moment
    for form in _FORMS:
        try:
            return datetime.strptime(words, form)  # noqa: DTZ007  the caller puts it on the company's clock
        except ValueError:
            continue
    return None


def _midnight(text: str) -> datetime:
    try:
        return datetime.combine(read_date(text), time())
    except CellError:
        raise CellError(
            f"“{text}” is not a date with a time. Type it as year-month-day hour:minute, such as 2026-12-01 08:00."
        ) from None


def _on_our_clock(moment: datetime, text: str) -> datetime:
    aware = timezone.make_aware(moment)
    if aware.astimezone(UTC).astimezone(aware.tzinfo).replace(tzinfo=None) != moment:
        raise CellError(f"“{text}” is skipped by the clock, which is put forward then. Type a time before or after it.")
    if _is_in_doubt(aware):
        either = " or ".join(aware.replace(fold=fold).isoformat(sep=" ") for fold in (0, 1))
        raise CellError(f"“{text}” comes twice, since the clock is put back then. Write {either}.")
    return aware


def _is_in_doubt(moment: datetime) -> bool:
    """Whether the clock shows this time twice."""
    return moment.replace(fold=0).utcoffset() != moment.replace(fold=1).utcoffset()
