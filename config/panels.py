"""What the whole adds to the pages of stock: the history of an item."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from config.audit.reading import Question, read_page
from config.audit.wording import entries
from inventory.models import Item
from inventory.panels import ItemTab, register_item_tab

ROWS_SHOWN_MAX = 40


def _history(_request: HttpRequest, item: Item) -> dict[str, Any]:
    """Who changed the item and what belongs to it, newest first."""
    page = read_page(Question(thing=("inventory.item", item.pk)), rows_max=ROWS_SHOWN_MAX)
    return {
        "history_entries": entries(page),
        "history_has_more": page.has_more,
        "history_url": f"{reverse('audit')}?of=inventory.item:{item.pk}",
    }


register_item_tab(ItemTab("history", "History", "config/_item_history.html", _history, 90, "inventory.read_audit"))
