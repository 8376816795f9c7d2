"""Words of publishing for templates."""

from django import template

from channels_sync.causes import in_words

register = template.Library()


@register.filter
def cause_words(causes: str) -> str:
    """What made a run, for people."""
    return in_words(causes)
