"""The one shell around the admin and every staff page: its look and its menu, grouped by work."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import NoReverseMatch, get_script_prefix, get_urlconf, reverse
from django.utils.module_loading import import_string


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the menu. It is shown when its address exists and the person has one of the permissions."""

    title: str
    icon: str
    target: str
    permissions: tuple[str, ...] = ()
    below: str = ""
    """A part of the site that also belongs to this entry, such as `/stock/items/`."""
    count: str = ""
    """Dotted name of what counts how much waits there; by name, for the menu is a setting and made before the tables."""


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    entries: tuple[Entry, ...]
    is_collapsible: bool = False


MENU = (
    Group("", (Entry("Today", "today", "today"),)),
    Group(
        "Make",
        (
            Entry("Record completion", "task_alt", "production:record_completion", ("production.record_completion",)),
            Entry("Completions", "history", "production:completions", ("production.view_completion",)),
            Entry(
                "Taken apart",
                "construction",
                "production:disassemblies",
                ("production.view_disassembly",),
                "/make/disassemble/",
            ),
            Entry(
                "Work orders",
                "assignment",
                "production:work_orders",
                ("production.view_workorder",),
            ),
            Entry("Quality", "verified_user", "quality:queue", ("production.view_inspection",)),
            Entry(
                "Shortages",
                "production_quantity_limits",
                "production:order_shortages",
                ("production.view_workorder",),
            ),
            Entry("Below reorder point", "low_priority", "production:low_items", ("production.view_workorder",)),
            Entry("Buildable", "construction", "production:buildable", ("production.view_bom",)),
            Entry("Learned from use", "lightbulb", "production:learning", ("production.view_bom",)),
            Entry("Planned and actual cost", "payments", "production:unit_costs", ("inventory.view_costpool",)),
            Entry("Variances", "balance", "production:variances", ("inventory.view_costpool",)),
            Entry("BOMs", "account_tree", "production:boms", ("production.view_bom",)),
        ),
    ),
    Group(
        "Stock",
        (
            Entry("Stock board", "inventory_2", "inventory:board", ("inventory.view_stockbalance",), "/stock/items/"),
            Entry("Receive", "input", "inventory:receive", ("inventory.receive_stock",)),
            Entry("Issue", "output", "inventory:issue", ("inventory.issue_stock",)),
            Entry("Ship", "local_shipping", "inventory:ship", ("inventory.ship_stock",)),
            Entry("Take back", "assignment_return", "inventory:take_back", ("inventory.return_stock",)),
            Entry("Send back", "undo", "inventory:send_back", ("inventory.return_stock",)),
            Entry("Transfer", "swap_horiz", "inventory:transfer", ("inventory.transfer_stock",)),
            Entry("On the road", "route", "inventory:transfers", ("inventory.view_stocktransfer",)),
            Entry("Adjust", "tune", "inventory:adjust", ("inventory.adjust_stock",)),
            Entry("Scrap", "delete_sweep", "inventory:scrap", ("inventory.scrap_stock",)),
            Entry("Hold and release", "verified", "inventory:change_status", ("inventory.change_stock_status",)),
            Entry("Lots", "qr_code_2", "inventory:lots", ("inventory.view_lot",), "/stock/recall/"),
            Entry("Reported stock", "cloud_sync", "inventory:external_stock", ("inventory.adjust_stock",)),
            Entry("Split and merge lots", "call_split", "inventory:change_lots", ("inventory.change_lots",)),
            Entry(
                "Counts",
                "fact_check",
                "inventory:counts",
                (
                    "inventory.count_stock",
                    "inventory.plan_counts",
                    "inventory.approve_count",
                    "inventory.view_countsheet",
                ),
            ),
            Entry("Ledger", "receipt_long", "inventory:ledger", ("inventory.view_movement",), "/stock/postings/"),
            Entry("Valuation", "account_balance", "inventory:valuation", ("inventory.view_costpool",)),
            Entry("What changed", "difference", "inventory:changes", ("inventory.view_movement",)),
            Entry("Closed periods", "lock_clock", "inventory:periods", ("inventory.view_periodclose",)),
        ),
    ),
    Group(
        "Buy",
        (
            Entry("Purchase orders", "shopping_cart", "buying:orders", ("inventory.view_purchaseorder",)),
            Entry("Late costs", "local_shipping", "buying:landed_costs", ("inventory.view_landedcost",)),
            Entry("Unknown costs", "help_center", "buying:unknown_costs", ("inventory.view_costpool",), "/buy/prices/"),
            Entry("Suppliers", "handshake", "admin:inventory_supplier_changelist", ("inventory.view_supplier",)),
            Entry(
                "Supplier items", "sell", "admin:inventory_supplieritem_changelist", ("inventory.view_supplieritem",)
            ),
            Entry(
                "Supplier stock",
                "inventory",
                "admin:inventory_supplierstock_changelist",
                ("inventory.view_supplierstock",),
            ),
        ),
    ),
    Group(
        "Sell",
        (
            Entry("Channels", "storefront", "channels_sync:channels", ("channels_sync.view_channel",)),
            Entry("Publishing", "send", "channels_sync:publishing", ("channels_sync.view_sendingwindow",)),
            Entry("Listings", "sell", "channels_sync:listings", ("channels_sync.view_listing",)),
            Entry("Allocation rules", "percent", "channels_sync:policies", ("channels_sync.view_allocationpolicy",)),
            Entry("Competing products", "hub", "channels_sync:competing", ("channels_sync.view_allocationpolicy",)),
            Entry("Demand", "show_chart", "channels_sync:demand", ("channels_sync.view_allocationpolicy",)),
            Entry("Buffers", "shield", "channels_sync:buffers", ("channels_sync.view_allocationpolicy",)),
            Entry("Simulator", "science", "channels_sync:simulations", ("channels_sync.view_simulation",)),
            Entry("Publish runs", "published_with_changes", "channels_sync:runs", ("channels_sync.view_publishrun",)),
            Entry("Drift", "radar", "channels_sync:drift", ("channels_sync.view_difference",)),
            Entry("Frozen listings", "ac_unit", "channels_sync:freezes", ("channels_sync.view_freeze",)),
        ),
    ),
    Group(
        "Exceptions",
        (
            Entry(
                "Exceptions",
                "notification_important",
                "exceptions:exceptions",
                ("inventory.view_exceptioncase",),
                count="inventory.reads.exceptions.waiting_count",
            ),
            Entry("Report a problem", "report", "exceptions:report", ("inventory.report_exceptioncase",)),
        ),
    ),
    Group(
        "Set-up",
        (
            Entry("Items", "category", "admin:inventory_item_changelist", ("inventory.view_item",)),
            Entry("Categories", "folder", "admin:inventory_itemcategory_changelist", ("inventory.view_itemcategory",)),
            Entry("Locations", "warehouse", "admin:inventory_location_changelist", ("inventory.view_location",)),
            Entry("Lot data", "qr_code_2", "admin:inventory_lot_changelist", ("inventory.change_lot",)),
            Entry(
                "Count classes",
                "sort",
                "admin:inventory_countclass_changelist",
                ("inventory.change_countclass",),
            ),
            Entry(
                "Import and export",
                "swap_vert",
                "imports",
                ("inventory.view_item", "production.view_bom", "inventory.receive_stock"),
            ),
            Entry(
                "Allocation policies",
                "percent",
                "admin:channels_sync_allocationpolicy_changelist",
                ("channels_sync.view_allocationpolicy",),
            ),
            Entry("Channel accounts", "key", "admin:channels_sync_channel_changelist", ("channels_sync.view_channel",)),
            Entry("Ledger check", "verified", "ledger_check", ("inventory.view_invariantrun",)),
            Entry("Audit", "manage_history", "audit", ("inventory.read_audit",)),
            Entry("People", "group", "admin:auth_user_changelist", ("auth.view_user",)),
            Entry("Roles", "shield_person", "admin:auth_group_changelist", ("auth.view_group",)),
            Entry(
                "Schedules",
                "schedule",
                "schedules",
                ("inventory.view_invariantrun",),
                below="/admin/django_celery_beat/",
            ),
            Entry("Everything else", "apps", "admin:index", ("auth.view_user",)),
            Entry("API", "api", "api-docs", ("inventory.view_item",)),
        ),
        is_collapsible=True,
    ),
)


def address(target: str) -> str | None:
    """The address of a named page; None when there is no such page."""
    return _address(target, get_urlconf(), get_script_prefix())


@cache
def _address(target: str, _urls: str | None, _prefix: str) -> str | None:
    """Worked out once for a set of addresses: a page asks for those of the whole menu."""
    try:
        return reverse(target)
    except NoReverseMatch:
        return None


def menu_for(request: HttpRequest) -> Iterator[tuple[Group, list[tuple[Entry, str]]]]:
    """Groups with the entries this person may open, each with its address."""
    for group in MENU:
        entries = []
        for entry in group.entries:
            url = address(entry.target)
            if url is None or (entry.permissions and not any(request.user.has_perm(p) for p in entry.permissions)):
                continue
            entries.append((entry, url))
        if entries:
            yield group, entries


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The menu as unfold wants it, with the entry marked that the present page belongs to."""
    groups = list(menu_for(request))
    current = _current(request.path, [pair for _, entries in groups for pair in entries])
    return [
        {
            "title": group.title,
            "collapsible": group.is_collapsible,
            "items": [
                {"title": entry.title, "icon": entry.icon, "link": url, "active": entry is current, **_count(entry)}
                for entry, url in entries
            ],
        }
        for group, entries in groups
    ]


def _count(entry: Entry) -> dict[str, Any]:
    """How much waits behind an entry, where somebody should look."""
    count: int = import_string(entry.count)() if entry.count else 0
    return {"badge": count, "badge_variant": "danger"} if count else {}


def _current(path: str, entries: list[tuple[Entry, str]]) -> Entry | None:
    """The entry with the longest address the path lies below."""
    found: tuple[int, Entry | None] = (0, None)
    for entry, url in entries:
        for start in (url, entry.below):
            if not start or len(start) <= found[0]:
                continue
            if path == start or (start not in ("/", "/admin/") and path.startswith(start)):
                found = (len(start), entry)
    return found[1]


def stylesheet(_request: HttpRequest) -> str:
    return static("css/backflush.css")


def script(_request: HttpRequest) -> str:
    return static("js/backflush.js")


def favicon(_request: HttpRequest) -> str:
    return static("css/icon.svg")


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Backflush",
    "SITE_HEADER": "Backflush",
    "SITE_URL": None,
    "SITE_SYMBOL": "sync_alt",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": favicon}],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": True,
    "SHOW_BACK_BUTTON": True,
    "BORDER_RADIUS": "6px",
    "STYLES": [stylesheet],
    "SCRIPTS": [script],
    "COLORS": {
        "primary": {
            "50": "oklch(96.9% .016 293.756)",
            "100": "oklch(94.3% .029 294.588)",
            "200": "oklch(89.4% .057 293.283)",
            "300": "oklch(81.1% .111 293.571)",
            "400": "oklch(73.5% .15 293.2)",
            "500": "oklch(62.5% .21 292.9)",
            "600": "oklch(52.5% .23 290)",
            "700": "oklch(46.5% .22 290)",
            "800": "oklch(40.5% .19 290.5)",
            "900": "oklch(36% .16 291)",
            "950": "oklch(27% .13 291)",
        },
    },
    "SIDEBAR": {"show_search": True, "command_search": True, "navigation": navigation},
    "LOGIN": {"redirect_after": lambda _request: "/"},
}
