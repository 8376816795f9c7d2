"""What higher apps add to the pages of stock: tabs and figures of an item, columns of the board, what they expect of items,
panels of a posting.

An app registers in its module `panels`, which is imported when the addresses are set up. Each addition is loaded with a
number of queries that does not depend on the number of rows.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.http import HttpRequest

from inventory.models import Item, Posting
from inventory.reads.board import Expected


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
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a higher app will put into stock, or needs and has not reserved: shown as incoming and as open demand.

    `load` gets item ids and the places (location ids; None: all) that are asked about, and answers quantities in the
    stock unit by item id. What is on a purchase order or reserved is known here already and is left out.
    """

    key: str
    title: str
    load: Callable[[Sequence[int], Sequence[int] | None], Mapping[int, Decimal]]
    is_demand: bool = False


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
    expectations: dict[str, Expectation] = field(default_factory=dict)


registry = Registry()


def register_item_tab(tab: ItemTab) -> None:
    registry.item_tabs[tab.key] = tab


def register_item_figures(name: str, figures: Callable[[HttpRequest, Item], Iterable[Figure]]) -> None:
    registry.item_figures[name] = figures


def register_board_column(column: BoardColumn) -> None:
    registry.board_columns[column.key] = column


def register_posting_panel(name: str, panel: PostingPanel) -> None:
    registry.posting_panels[name] = panel


def register_expectation(expectation: Expectation) -> None:
    registry.expectations[expectation.key] = expectation


def expected_of(items: Sequence[int], places: Sequence[int] | None = None) -> dict[int, Expected]:
    """What higher apps expect of items (ids) and need of them, summed over all that registered."""
    found: dict[int, Expected] = {item_id: Expected() for item_id in items}
    for expectation in registry.expectations.values() if items else ():
        for item_id, quantity in expectation.load(items, places).items():
            if expectation.is_demand:
                found[item_id].demand += quantity
            else:
                found[item_id].incoming += quantity
    return found


def board_columns_for(request: HttpRequest) -> list[BoardColumn]:
    """The added columns this person may see."""
    return [c for c in registry.board_columns.values() if not c.permission or request.user.has_perm(c.permission)]
