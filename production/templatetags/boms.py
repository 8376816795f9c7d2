"""Small helpers of the BOM editor's templates."""

from collections.abc import Mapping

from django import template

register = template.Library()


@register.filter
def get(texts: Mapping[str, str], name: str) -> str:
    """What was typed into a field; empty when nothing was."""
    return texts.get(name, "")


@register.filter
def sub(prefix: str, number: int) -> str:
    """The name of a substitute of a line."""
    return f"{prefix}-sub-{number}"
