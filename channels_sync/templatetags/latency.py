"""Short times as people read them."""

from decimal import Decimal

from django import template

from inventory.templatetags.figures import grouped

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
