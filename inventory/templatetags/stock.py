"""Marks and look-ups of the pages about places and lots."""

from collections.abc import Mapping
from typing import Any

from django import template
from django.utils.safestring import SafeString

from inventory.models import Location
from inventory.reads.freshness import Freshness
from inventory.reads.genealogy import Edge, Genealogy
from inventory.templatetags.figures import freshness_dot, quantity
from inventory.views.board_columns import kind_mark

register = template.Library()


@register.simple_tag
def place_mark(place: Location) -> SafeString:
    """What kind of place it is, unless it is our own."""
    return kind_mark(place.kind)


@register.simple_tag
def freshness_in(fresh: Mapping[int, Freshness], location_id: int) -> SafeString:
    return freshness_dot(fresh.get(location_id))


@register.simple_tag
def value_in(values: Mapping[int, Any], key: int) -> Any:
    """A value by its key; nothing when there is none."""
    return values.get(key, "")


@register.simple_tag
def edge_taken(found: Genealogy, edge: Edge) -> SafeString:
    """What an edge took of its source, in the unit of that item."""
    return quantity(edge.taken, found.nodes[edge.source_id].lot.item)


@register.simple_tag
def edge_made(found: Genealogy, edge: Edge) -> SafeString:
    return quantity(edge.made, found.nodes[edge.target_id].lot.item)
