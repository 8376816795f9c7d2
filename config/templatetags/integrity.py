"""Facts of the ledger check as people call them."""

from typing import Any

from django import template

register = template.Library()

AREAS = {"inventory": "stock", "production": "making", "channels_sync": "selling"}


@register.filter
def words(name: str) -> str:
    """`not_negative` as `not negative`."""
    return name.replace("_", " ")


@register.filter
def area(fact: Any) -> str:
    """`stock · balances`: where a fact belongs and what it is called in logs and commands."""
    return f"{AREAS.get(fact.app, fact.app)} · {words(fact.name)}"
