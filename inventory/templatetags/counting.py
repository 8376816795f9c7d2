"""Shares as people read them."""

from fractions import Fraction

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from inventory.templatetags.figures import NOTHING

register = template.Library()

GOOD_FROM = 95
"""The least record accuracy that planning can rest on."""


@register.simple_tag
def percent(value: Fraction | None) -> SafeString:
    """`97.2 %`, amber below GOOD_FROM with a word for it; a dash for no value. Cut, never rounded up to 100."""
    if value is None:
        return NOTHING
    tenths = int(value * 10)
    words = f"{tenths // 10}" if tenths % 10 == 0 else f"{tenths // 10}.{tenths % 10}"
    tone, title = ("", "") if value >= GOOD_FROM else ("bf-tone-look", f"below {GOOD_FROM} %")
    return format_html(
        '<span class="num {}" title="{}">{}<span class="unit">&#8239;%</span></span>', tone, title, words
    )


@register.simple_tag
def percent_width(value: Fraction | None) -> int:
    """The width of a bar, in whole percent."""
    return 0 if value is None else int(value)
