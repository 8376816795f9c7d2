"""The stock board: one view of what there is, over own places, third parties, channels, the road and suppliers.

`question` says what is asked for, `choosing` finds the items of a page and their order, `rows` reads the figures of these
items alone. So a page costs the same number of statements whatever the size of the book.
"""

from inventory.reads.board.choosing import ItemCount, ItemPage, Mark, board_page, count_items, items_matching
from inventory.reads.board.question import (
    EXPIRY_NOTICE_DAYS,
    SORTS,
    UNCOUNTED_DAYS,
    BoardQuestion,
    Sql,
    expiring,
    free_of_item,
    item_conditions,
)
from inventory.reads.board.rows import BoardRow, Expected, LotRow, PlaceRow, all_rows, board_rows, share_of_pool
from inventory.reads.board.supply import SupplierRow, Supply

__all__ = [
    "EXPIRY_NOTICE_DAYS",
    "SORTS",
    "UNCOUNTED_DAYS",
    "BoardQuestion",
    "BoardRow",
    "Expected",
    "ItemCount",
    "ItemPage",
    "LotRow",
    "Mark",
    "PlaceRow",
    "Sql",
    "SupplierRow",
    "Supply",
    "all_rows",
    "board_page",
    "board_rows",
    "count_items",
    "expiring",
    "free_of_item",
    "item_conditions",
    "items_matching",
    "share_of_pool",
]
