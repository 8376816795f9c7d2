"""Short times as people read them."""

from datetime import datetime
from decimal import Decimal

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from inventory.templatetags.figures import NOTHING, grouped

register = template.Library()

MINUTE, HOUR, DAY = 60, 3_600, 86_400


@register.filter
def seconds_in_words(value: Decimal | None) -> str:
    """`40 ms`, `3.2 s`, `2 min 5 s`, `3 h 20 min`, `2 d 4 h`; a dash where nothing is measured."""
    if value is None:
        return "\u2013"
    if value < 1:
        return f"{grouped(value * 1000, places=0)} ms"
    if value < MINUTE:
        return f"{grouped(value, places=1)} s"
    for large, small, names in ((DAY, HOUR, "d h"), (HOUR, MINUTE, "h min"), (MINUTE, 1, "min s")):
        if value >= large:
            first, second = names.split()
            rest = int(value % large // small)
            return f"{grouped(int(value // large))} {first}" + (f" {rest} {second}" if rest else "")
    raise AssertionError(value)


@register.filter
def second(value: datetime | None) -> SafeString:
    """`14:05:09.4` today and `3 Nov 14:05:09.4` before: where moments are compared, seconds count."""
    if value is None:
        return NOTHING
    local = timezone.localtime(value)
    words = f"{local:%H:%M:%S}.{local.microsecond // 100_000}"
    today = timezone.localdate()
    if local.date() != today:
        words = f"{local.day} {local:%b}{'' if local.year == today.year else f' {local:%Y}'} {words}"
    full = f"{local.day} {local:%B %Y, %H:%M:%S.%f %Z}"
    return format_html('<time datetime="{}" title="{}">{}</time>', local.isoformat(), full, words)
