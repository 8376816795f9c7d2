"""Figures as people read them: quantities with units, money, times; and the small marks of the shell."""

from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from uuid import uuid4

from django import template
from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from inventory.models import Item, StockStatus
from inventory.quantities import PLACES, as_text, round_half_up
from inventory.reads.freshness import Freshness

register = template.Library()

MINUS = "\u2212"
UNKNOWN = format_html('<span class="bf-unknown" title="{}">unknown</span>', "The cost is not known yet")
NOTHING = format_html('<span class="bf-quiet">{}</span>', "\u2013")

NO_MARK = SafeString("")

STATUS_TONES = {
    StockStatus.AVAILABLE: ("good", "check_circle"),
    StockStatus.QC_HOLD: ("look", "hourglass_top"),
    StockStatus.QUARANTINE: ("look", "front_hand"),
    StockStatus.DAMAGED: ("blocked", "broken_image"),
    StockStatus.EXPIRED: ("blocked", "event_busy"),
}


def grouped(value: Decimal | int, *, places: int | None = None) -> str:
    """`1,234.5`, `−3`: grouped thousands, a true minus, no trailing zeros unless `places` are wanted."""
    number = Decimal(value)
    if places is not None:
        number = number.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
        text = f"{number:,f}"
        return text.replace("-", MINUS) if number else text.lstrip("-")
    whole, _, fraction = as_text(number).partition(".")
    text = f"{int(whole):,}" if whole not in ("-0", "0") else whole
    if whole.startswith("-") and not text.startswith("-"):
        text = f"-{text}"
    return (f"{text}.{fraction}" if fraction else text).replace("-", MINUS)


LONG_FROM = 15
"""Figures of this many characters and more are set smaller, so that a table still fits."""


def _classes(value: Decimal | int, text: str) -> str:
    return f"num{' bf-negative' if value < 0 else ''}{' bf-long' if len(text) >= LONG_FROM else ''}"


@register.filter
def number(value: Decimal | int | None) -> str:
    """A bare figure."""
    if value is None:
        return NOTHING
    text = grouped(value)
    return format_html('<span class="{}">{}</span>', _classes(value, text), text)


@register.simple_tag
def quantity(value: Decimal | None, unit: str | Item = "", signed: bool = False) -> SafeString:
    """A quantity with its unit muted behind it; `unit` is a unit or an item. With `signed`, a plus stands before gains."""
    if value is None:
        return NOTHING
    name = unit.stock_unit if isinstance(unit, Item) else unit
    text = grouped(value)
    if signed and value > 0:
        text = f"+{text}"
    if not name:
        return format_html('<span class="{}">{}</span>', _classes(value, text), text)
    return format_html(
        '<span class="{}">{}<span class="unit">&#8239;{}</span></span>', _classes(value, text), text, name
    )


@register.filter
def exact(value: Fraction | None, unit: str = "") -> SafeString:
    """An exact ratio as a quantity, shown to six places at most."""
    if value is None:
        return NOTHING
    return quantity(round_half_up(value, PLACES), unit)


@register.simple_tag
def money(value: Decimal | None, places: int | None = None, signed: bool = False) -> SafeString:
    """An amount in base currency; an unknown one says so."""
    if value is None:
        return UNKNOWN
    digits = currency_places() if places is None else places
    text = grouped(value, places=digits)
    if signed and value > 0:
        text = f"+{text}"
    return format_html(
        '<span class="{}">{}<span class="unit">&#8239;{}</span></span>',
        _classes(value, text),
        text,
        settings.BASE_CURRENCY,
    )


@register.simple_tag
def unit_cost(value: Decimal | None) -> SafeString:
    """A cost per unit: two decimal places, up to six for small figures."""
    if value is None:
        return UNKNOWN
    rounded = value.quantize(Decimal("0.0001") if value >= 1 else Decimal("0.000001"), rounding=ROUND_HALF_UP)
    exponent = rounded.normalize().as_tuple().exponent
    needed = -exponent if isinstance(exponent, int) and exponent < 0 else 0
    return money(value, places=max(currency_places(), needed))


def currency_places() -> int:
    exponent = Decimal(settings.CURRENCY_STEP).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 2


@register.filter
def moment(value: datetime | None) -> SafeString:
    """`today 14:05`, `yesterday 09:12`, `3 Nov 14:05`, `3 Nov 2023`; the whole of it on hover."""
    if value is None:
        return NOTHING
    local = timezone.localtime(value)
    today = timezone.localdate()
    if local.date() == today:
        words = f"today {local:%H:%M}"
    elif local.date() == today - timedelta(days=1):
        words = f"yesterday {local:%H:%M}"
    elif local.year == today.year:
        words = f"{local.day} {local:%b %H:%M}"
    else:
        words = f"{local.day} {local:%b %Y}"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        local.isoformat(),
        f"{date_format(local, 'l j F Y, H:i:s')} {local:%Z}",
        words,
    )


@register.filter
def day(value: date | None) -> SafeString:
    """`today`, `tomorrow`, `3 Nov`, `3 Nov 2023`; the whole of it on hover."""
    if value is None:
        return NOTHING
    today = timezone.localdate()
    names = {today: "today", today + timedelta(days=1): "tomorrow", today - timedelta(days=1): "yesterday"}
    words = names.get(value) or (
        f"{value.day} {value:%b}" if value.year == today.year else f"{value.day} {value:%b %Y}"
    )
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', value.isoformat(), date_format(value, "l j F Y"), words
    )


@register.simple_tag
def expiry(value: date | None) -> SafeString:
    """An expiry day: red when past, amber within thirty days, always with a word."""
    if value is None:
        return NOTHING
    today = timezone.localdate()
    if value < today:
        return format_html('<span class="bf-tone-blocked">expired {}</span>', day(value))
    if value <= today + timedelta(days=30):
        days = (value - today).days
        return format_html(
            '<span class="bf-tone-look">{} <span class="bf-small">({} left)</span></span>',
            day(value),
            "last day" if days == 0 else f"{days} day{'s' if days != 1 else ''}",
        )
    return day(value)


@register.simple_tag
def expiry_badge(value: date | None) -> SafeString:
    """A mark only when an expiry day wants attention: past, or within thirty days."""
    today = timezone.localdate()
    if value is None or value > today + timedelta(days=30):
        return NO_MARK
    if value < today:
        return badge("Expired", "blocked", "event_busy", f"since {value:%Y-%m-%d}")
    days = (value - today).days
    words = "Last day" if days == 0 else f"{days} day{'s' if days != 1 else ''} left"
    return badge(words, "look", "event_upcoming", f"{value:%Y-%m-%d}")


@register.simple_tag
def badge(label: str, tone: str = "quiet", icon: str = "", title: str = "") -> SafeString:
    """A word with a colour and, when given, an icon. Tones: good, look, blocked, info, quiet."""
    mark = format_html('<span class="material-symbols-outlined" aria-hidden="true">{}</span>', icon) if icon else ""
    hint = format_html(' title="{}"', title) if title else ""
    return format_html('<span class="bf-badge" data-tone="{}"{}>{}{}</span>', tone, hint, mark, label)


@register.simple_tag
def freshness_dot(found: Freshness | None) -> SafeString:
    """How old reported figures are: a dot with words; nothing for our own records."""
    if found is None or found.is_own:
        return NO_MARK
    hint = f"as of {timezone.localtime(found.as_of):%Y-%m-%d %H:%M}" if found.as_of else "nobody ever reported figures"
    return format_html('<span class="bf-fresh" data-tone="{}" title="{}">{}</span>', found.tone, hint, found.words)


@register.simple_tag
def status_badge(status: str) -> SafeString:
    """A stock status."""
    tone, icon = STATUS_TONES[StockStatus(status)]
    return badge(StockStatus(status).label, tone, icon)


@register.simple_tag
def icon(name: str) -> SafeString:
    return format_html('<span class="material-symbols-outlined" data-icon="{0}" aria-hidden="true">{0}</span>', name)


@register.simple_tag
def new_key() -> str:
    """A fresh key for a button's form, so that a double click does one thing."""
    return str(uuid4())


@register.filter
def undo_url(extra_tags: str | None) -> str:
    """The address a toast's Undo button posts to; empty when there is nothing to undo."""
    return extra_tags.removeprefix("undo:") if extra_tags and extra_tags.startswith("undo:") else ""


@register.filter
def initials(name: str) -> str:
    """At most two letters for a person or a system."""
    parts = [part for part in name.replace(".", " ").replace("_", " ").replace("-", " ").split() if part]
    return "".join(part[0] for part in parts[:2]).upper() or "?"
