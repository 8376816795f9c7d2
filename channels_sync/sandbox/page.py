"""The shop page: what a shopper would see, with a quiet line about the last change from outside."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from html import escape
from typing import Any

from channels_sync.sandbox.context import Shop
from channels_sync.sandbox.store import Change, Item, Store, now_text

LOW_STOCK_MAX = 5
PRODUCTS_SHOWN_MAX = 200
_CHANGES_SHOWN = 8
_CURRENCY_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "CAD": "CA$", "AUD": "A$", "JPY": "¥"}


@dataclass(frozen=True, slots=True)
class Card:
    """One product on the page. `level` is many, few, none or unlimited and picks the colour."""

    id: int
    sku: str
    title: str
    description: str
    price: str
    stock: str
    level: str


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """One line of the list of recent changes."""

    id: int
    title: str
    sku: str
    before: int
    after: int
    at: str
    app: str
    reference: str


@dataclass(frozen=True, slots=True)
class ShopView:
    """Everything the page shows."""

    shop: Shop
    app_title: str
    cards: tuple[Card, ...]
    count: int
    last: ChangeLine | None  # by the app whose training this is
    changes: tuple[ChangeLine, ...]

    @property
    def catalogue(self) -> str:
        """Differs as soon as something other than the stock has to be drawn anew."""
        told = "\x1e".join("\x1f".join((str(c.id), c.sku, c.title, c.description, c.price)) for c in self.cards)
        return hashlib.sha256(f"{self.count}\x1e{told}".encode()).hexdigest()[:16]


def stock_text(available: int, *, is_tracked: bool) -> tuple[str, str]:
    """(words, level) a shopper reads about the stock."""
    if not is_tracked:
        return "In stock", "unlimited"
    if available <= 0:
        return "Sold out", "none"
    if available <= LOW_STOCK_MAX:
        return f"Only {available} left", "few"
    return f"{available:,} in stock", "many"


def price_text(price: Decimal, *, currency: str) -> str:
    sign = _CURRENCY_SIGNS.get(currency)
    amount = f"{price:,.0f}" if currency == "JPY" else f"{price:,.2f}"
    return f"{sign}{amount}" if sign else f"{amount} {currency}"


def shop_view(store: Store, *, shop: Shop, app_title: str) -> ShopView:
    items = store.items(rows_max=PRODUCTS_SHOWN_MAX)
    available = store.available_by_item()
    last = store.latest_changes(app=app_title, rows_max=1)
    recent = store.latest_changes(rows_max=_CHANGES_SHOWN)
    return ShopView(
        shop=shop,
        app_title=app_title,
        cards=tuple(_card(item, available.get(item.id, 0), shop=shop) for item in items),
        count=store.items_count(),
        last=_line(store, last[0]) if last else None,
        changes=tuple(_line(store, change) for change in recent),
    )


def as_json(view: ShopView) -> dict[str, Any]:
    """What the page asks for every two seconds."""
    return {
        "now": now_text(),
        "catalogue": view.catalogue,
        "products": [{"id": card.id, "stock": card.stock, "level": card.level} for card in view.cards],
        "last": _line_json(view.last) if view.last else None,
        "changes": [_line_json(line) for line in view.changes],
    }


def _card(item: Item, available: int, *, shop: Shop) -> Card:
    words, level = stock_text(available, is_tracked=item.is_tracked)
    price = price_text(item.price, currency=shop.currency)
    return Card(item.id, item.sku, item.title, item.description, price, words, level)


def _line(store: Store, change: Change) -> ChangeLine:
    item = store.item(change.item_id)
    title, sku = (item.title, item.sku) if item else ("A product", "")
    return ChangeLine(change.id, title, sku, change.before, change.after, change.at, change.app, change.reference or "")


def _line_json(line: ChangeLine) -> dict[str, Any]:
    return {
        "id": line.id,
        "title": line.title,
        "sku": line.sku,
        "before": line.before,
        "after": line.after,
        "at": line.at,
        "app": line.app,
        "reference": line.reference,
    }


# --- HTML ---


def render_grid(view: ShopView) -> str:
    """The products as list items, or what to expect when there are none."""
    if not view.cards:
        return '<li class="empty">Nothing on the shelves yet. Products appear here as soon as they are listed.</li>'
    return "\n".join(_render_card(card) for card in view.cards)


def _render_card(card: Card) -> str:
    version = hashlib.sha256(card.title.encode()).hexdigest()[:8]
    description = f'<p class="about">{escape(card.description)}</p>' if card.description else ""
    return (
        f'<li class="card" data-id="{card.id}" data-level="{card.level}">'
        f'<div class="picture"><img src="/images/{card.id}?v={version}" alt="" width="400" height="400" loading="lazy">'
        f'<span class="veil" aria-hidden="true">Sold out</span></div>'
        f'<div class="facts"><div class="line"><h2>{escape(card.title)}</h2>'
        f'<span class="price">{escape(card.price)}</span></div>'
        f'{description}<div class="line foot"><span class="stock"><i aria-hidden="true"></i>'
        f"<span data-stock>{escape(card.stock)}</span></span>"
        f'<span class="sku" title="SKU {escape(card.sku)}">{escape(card.sku)}</span></div></div></li>'
    )


def _render_last(view: ShopView) -> str:
    if view.last is None:
        return f"No change from {escape(view.app_title)} yet"
    last = view.last
    return (
        f"Last change from {escape(last.app)}: <b>{escape(last.title)}</b> "
        f"<b>{last.before:,} → {last.after:,}</b>, at {escape(last.at[11:19])} UTC"
    )


def render_page(view: ShopView) -> str:
    name = escape(view.shop.name)
    more = ""
    if view.count > len(view.cards):
        more = f'<p class="more">The first {len(view.cards):,} of {view.count:,} products are shown.</p>'
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>{name} – training data</title>
<link rel="icon" href="/static/icon.svg">
<link rel="stylesheet" href="/static/shop.css">
<script src="/static/shop.js" defer></script>
</head>
<body data-catalogue="{view.catalogue}" data-app="{escape(view.app_title)}">
<a class="skip" href="#products">To the products</a>
<header class="top">
  <div class="wide">
    <p class="brand"><svg viewBox="0 0 24 24" aria-hidden="true"><path d="M4 9.5 5.6 4h12.8L20 9.5M4 9.5a2.7 2.7 0 0 0
      5.3 0 2.7 2.7 0 0 0 5.4 0 2.7 2.7 0 0 0 5.3 0M5.5 12.5V20h13v-7.5M10 20v-4.5h4V20"/></svg>{name}</p>
    <p class="badge">Training data</p>
  </div>
</header>
<div class="strip"><p class="wide"><i id="pulse" aria-hidden="true"></i><span id="last">{_render_last(view)}</span></p></div>
<main class="wide">
  <div class="intro"><h1>All products</h1><p id="count">{_count_text(view.count)}</p></div>
  <ul class="grid" id="products" role="list" tabindex="-1">
{render_grid(view)}
  </ul>
  {more}
  <details class="recent" id="recent">
    <summary>Recent changes</summary>
    <div class="scroll"><table>
      <thead><tr><th scope="col">When</th><th scope="col">Product</th><th scope="col" class="number">Change</th>
      <th scope="col">By</th><th scope="col">Reference</th></tr></thead>
      <tbody id="changes"><tr><td colspan="5">No change yet.</td></tr></tbody>
    </table></div>
  </details>
</main>
<footer class="wide"><p>Sandbox shop – training data. Nothing here is for sale.</p></footer>
<p class="hidden" id="news" role="status" aria-live="polite"></p>
</body>
</html>
"""


def _count_text(count: int) -> str:
    return "1 product" if count == 1 else f"{count:,} products"


# --- drawn pictures ---

_PALETTES = (
    ("#f6e7d8", "#e9c9a7", "#b9774a", "#8a5230"),
    ("#e4ece0", "#bfd2b6", "#6f8f63", "#4c6a43"),
    ("#e6e9f2", "#c0c9e0", "#6d7fae", "#48598a"),
    ("#f5e3e4", "#e4bcc0", "#b06b75", "#864852"),
    ("#f7efd2", "#ebd68f", "#bf9a36", "#8d6f1d"),
    ("#e0eeee", "#b1d3d3", "#568c8e", "#356769"),
    ("#efe6f1", "#d3bfd9", "#8d6a99", "#694874"),
    ("#ece9e4", "#d1cac0", "#8c8173", "#645a4e"),
)
_SHAPES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("set", ("set", "kit", "box", "bundle", "gift", "crate", "sampler")),
    ("candle", ("candle", "wax", "tealight", "votive")),
    ("bar", ("soap", "bar", "shampoo bar", "chocolate", "butter")),
    ("bottle", ("oil", "serum", "bottle", "spray", "lotion", "syrup", "sauce", "diffuser", "shampoo", "tonic", "mist")),
    ("tin", ("tin", "balm", "salve", "cream", "wax melt", "polish", "tray")),
    ("pouch", ("tea", "coffee", "salt", "granola", "mix", "flour", "seed", "bag", "pouch", "spice", "scrub")),
)


def artwork(item: Item) -> str:
    """A quiet still life for a product without a picture: always the same one for the same product."""
    digest = hashlib.sha256(item.sku.encode()).digest()
    light, soft, strong, deep = _PALETTES[digest[0] % len(_PALETTES)]
    words = item.title.lower()
    shape = next((name for name, hints in _SHAPES if any(hint in words.split() for hint in hints)), None)
    shape = shape or next((name for name, hints in _SHAPES if any(hint in words for hint in hints)), "jar")
    drawn = _DRAWINGS[shape].format(light=light, soft=soft, strong=strong, deep=deep)
    lean = 120 + digest[1] % 160
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 400" width="400" height="400">'
        f'<defs><linearGradient id="g" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="{light}"/>'
        f'<stop offset="1" stop-color="{soft}"/></linearGradient></defs>'
        f'<rect width="400" height="400" fill="url(#g)"/><circle cx="{lean}" cy="150" r="112" fill="#fff" opacity=".34"/>'
        f'<rect y="306" width="400" height="94" fill="{strong}" opacity=".2"/>'
        f'<ellipse cx="200" cy="310" rx="104" ry="11" fill="{deep}" opacity=".24"/>{drawn}</svg>'
    )


_DRAWINGS = {
    "jar": (
        '<rect x="136" y="146" width="128" height="164" rx="20" fill="{strong}"/>'
        '<rect x="144" y="116" width="112" height="36" rx="8" fill="{deep}"/>'
        '<rect x="152" y="198" width="96" height="66" rx="5" fill="#fff" opacity=".88"/>'
        '<path d="M170 222h60M178 240h44" stroke="{deep}" stroke-width="5" stroke-linecap="round" opacity=".55"/>'
        '<rect x="148" y="160" width="9" height="132" rx="4.5" fill="#fff" opacity=".3"/>'
    ),
    "candle": (
        '<path d="M200 98c16 18 20 29 20 38a20 20 0 0 1-40 0c0-9 4-20 20-38z" fill="#f2a93b"/>'
        '<path d="M200 120c7 9 9 14 9 19a9 9 0 0 1-18 0c0-5 2-10 9-19z" fill="#fdf0c4"/>'
        '<path d="M200 156v22" stroke="{deep}" stroke-width="5" stroke-linecap="round"/>'
        '<rect x="132" y="176" width="136" height="134" rx="14" fill="{strong}"/>'
        '<ellipse cx="200" cy="180" rx="68" ry="13" fill="{light}"/><ellipse cx="200" cy="180" rx="68" ry="13" '
        'fill="none" stroke="{deep}" stroke-width="3" opacity=".35"/>'
        '<rect x="154" y="220" width="92" height="58" rx="5" fill="#fff" opacity=".88"/>'
        '<path d="M172 241h56M180 258h40" stroke="{deep}" stroke-width="5" stroke-linecap="round" opacity=".55"/>'
    ),
    "bar": (
        '<rect x="92" y="226" width="216" height="84" rx="22" fill="{strong}"/>'
        '<rect x="92" y="218" width="216" height="74" rx="22" fill="{light}"/>'
        '<rect x="92" y="218" width="216" height="74" rx="22" fill="{strong}" opacity=".35"/>'
        '<rect x="156" y="212" width="88" height="98" rx="3" fill="#fff" opacity=".9"/>'
        '<path d="M174 246h52M182 264h36" stroke="{deep}" stroke-width="5" stroke-linecap="round" opacity=".55"/>'
        '<rect x="116" y="158" width="168" height="62" rx="18" fill="{deep}" opacity=".9"/>'
        '<rect x="116" y="152" width="168" height="56" rx="18" fill="{strong}"/>'
        '<path d="M140 170h70" stroke="#fff" stroke-width="6" stroke-linecap="round" opacity=".4"/>'
    ),
    "bottle": (
        '<rect x="178" y="82" width="44" height="52" rx="7" fill="{deep}"/>'
        '<path d="M180 130h40v22c0 12 38 20 38 52v84a22 22 0 0 1-22 22h-72a22 22 0 0 1-22-22v-84c0-32 38-40 38-52z" '
        'fill="{strong}"/>'
        '<rect x="152" y="212" width="96" height="70" rx="5" fill="#fff" opacity=".88"/>'
        '<path d="M170 237h60M180 256h40" stroke="{deep}" stroke-width="5" stroke-linecap="round" opacity=".55"/>'
        '<path d="M156 200c2-14 16-20 24-28" stroke="#fff" stroke-width="8" stroke-linecap="round" fill="none" '
        'opacity=".32"/>'
    ),
    "tin": (
        '<rect x="98" y="224" width="204" height="86" rx="14" fill="{strong}"/>'
        '<rect x="90" y="196" width="220" height="40" rx="12" fill="{deep}"/>'
        '<ellipse cx="200" cy="198" rx="110" ry="20" fill="{strong}"/>'
        '<ellipse cx="200" cy="197" rx="88" ry="13" fill="{light}" opacity=".8"/>'
        '<rect x="146" y="252" width="108" height="40" rx="5" fill="#fff" opacity=".88"/>'
        '<path d="M166 272h68" stroke="{deep}" stroke-width="5" stroke-linecap="round" opacity=".55"/>'
    ),
    "pouch": (
        '<path d="M132 116h136l14 180a14 14 0 0 1-14 14H132a14 14 0 0 1-14-14z" fill="{strong}"/>'
        '<path d="M128 104h144v30H128z" fill="{deep}"/>'
        '<path d="M136 119h128" stroke="#fff" stroke-width="3" stroke-dasharray="7 6" opacity=".45"/>'
        '<circle cx="200" cy="218" r="50" fill="#fff" opacity=".88"/>'
        '<path d="M200 246c-22-14-22-40 0-58 22 18 22 44 0 58zM200 246v-38" stroke="{deep}" stroke-width="5" '
        'fill="none" stroke-linecap="round" opacity=".6"/>'
    ),
    "set": (
        '<rect x="100" y="182" width="200" height="128" rx="8" fill="{strong}"/>'
        '<rect x="90" y="154" width="220" height="42" rx="8" fill="{deep}"/>'
        '<rect x="184" y="154" width="32" height="156" fill="{light}" opacity=".9"/>'
        '<path d="M200 154c-10-34-56-40-58-14-1 18 36 16 58 14zm0 0c10-34 56-40 58-14 1 18-36 16-58 14z" fill="none" '
        'stroke="{deep}" stroke-width="11" stroke-linejoin="round"/>'
    ),
}
