"""What higher apps add to the pages of stock: tabs and figures of an item, columns of the board, panels of a posting.

An app registers in its module `panels`, which is imported when the addresses are set up. Each addition is loaded with a
number of queries that does not depend on the number of rows.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest

from inventory.models import Item, Posting


@dataclass(frozen=True, slots=True)
class Figure:
    """A headline figure of an item. `value` is safe HTML or plain text; `tab` names the tab that explains it."""

    label: str
    value: str
    tab: str = ""
    hint: str = ""
    tone: str = ""  # good, look, blocked, info, quiet


@dataclass(frozen=True, slots=True)
class ItemTab:
    """A tab of the item page. `context` returns what its template needs."""

    key: str
    title: str
    template: str
    context: Callable[[HttpRequest, Item], dict[str, Any]]
    order: int = 50
    permission: str = ""


@dataclass(frozen=True, slots=True)
class BoardCell:
    """What one item shows in an added column: for the page, and as plain text for an export."""

    html: str
    text: str


@dataclass(frozen=True, slots=True)
class BoardColumn:
    """A column of the stock board. `load` gets item ids and answers for those that have something to show."""

    key: str
    title: str
    load: Callable[[Sequence[int]], Mapping[int, BoardCell]]
    permission: str = ""


@dataclass(frozen=True, slots=True)
class PostingPanel:
    """More about a posting on its page. `context` returns None when it has nothing to say about that posting."""

    template: str
    context: Callable[[HttpRequest, Posting], dict[str, Any] | None]


@dataclass(slots=True)
class Registry:
    item_tabs: dict[str, ItemTab] = field(default_factory=dict)
    item_figures: dict[str, Callable[[HttpRequest, Item], Iterable[Figure]]] = field(default_factory=dict)
    board_columns: dict[str, BoardColumn] = field(default_factory=dict)
    posting_panels: dict[str, PostingPanel] = field(default_factory=dict)


registry = Registry()


def register_item_tab(tab: ItemTab) -> None:
    registry.item_tabs[tab.key] = tab


def register_item_figures(name: str, figures: Callable[[HttpRequest, Item], Iterable[Figure]]) -> None:
    registry.item_figures[name] = figures


def register_board_column(column: BoardColumn) -> None:
    registry.board_columns[column.key] = column


def register_posting_panel(name: str, panel: PostingPanel) -> None:
    registry.posting_panels[name] = panel


def board_columns_for(request: HttpRequest) -> list[BoardColumn]:
    """The added columns this person may see."""
    return [c for c in registry.board_columns.values() if not c.permission or request.user.has_perm(c.permission)]
