"""The main job over HTTP: edit a BOM, record a completion, see stock and the shop follow, take it back. Prints each figure.

Run by `make smoke` beside the running product (BACKFLUSH_BASE_URL, BACKFLUSH_VAR, SANDBOX_SHOP_URL). Exits with 1 and a
sentence when a figure is wrong. What must come out is computed here, from the BOM alone.
"""

import json
import math
import os
import sys
import time
import uuid
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NoReturn

import httpx

PRODUCT, LISTING, PLACE, CHANNEL_STOCK = "CANDLE-LAVENDER", "CANDLE-LAVENDER", "FINISHED", "FBA-NORTH"
GOOD = Decimal(40)
CHANGED, CHANGED_TO = "FRAGRANCE-LAVENDER", Decimal(500)
BUFFER, SHARE = Decimal(2), Fraction(9, 10)
SHOP_SECONDS_MAX = 30
FIRST_SYNC_SECONDS_MAX = 90


class Form(HTMLParser):
    """The fields of one form of a page, as a browser would send them. `mark` is in the form's address or id."""

    def __init__(self, page: str, *, mark: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self._mark = mark
        self._is_inside = False
        self._select = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            is_post = values.get("method", "get").lower() == "post"
            self._is_inside = is_post and self._mark in (values.get("action", "") + values.get("id", ""))
        if not self._is_inside:
            return
        if (
            tag == "input"
            and values.get("name")
            and values.get("type") not in ("submit", "button", "checkbox", "radio")
        ):
            self.fields[values["name"]] = values.get("value", "")
        elif tag == "select":
            self._select = values.get("name", "")
        elif tag == "option" and self._select and "selected" in values:
            self.fields[self._select] = values.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_inside = False
        elif tag == "select":
            self._select = ""


def fail(words: str) -> NoReturn:
    print(f"WRONG  {words}", flush=True)
    sys.exit(1)


def expect(words: str, *, found: object, wanted: object) -> None:
    """Print a figure; end the run when it is not the wanted one."""
    if found != wanted:
        fail(f"{words}: {found}, expected {wanted}")
    print(f"ok     {words}: {found}", flush=True)


def text(quantity: Decimal | Fraction) -> str:
    number = Decimal(quantity.numerator) / Decimal(quantity.denominator) if isinstance(quantity, Fraction) else quantity
    return f"{number.normalize():f}"


class Product:
    """The product seen from outside: the planner's browser, a program with a token, and the shop."""

    def __init__(self) -> None:
        var = Path(os.environ.get("BACKFLUSH_VAR", "var"))
        logins = json.loads((var / "demo_logins.json").read_text(encoding="utf-8"))
        base = os.environ["BACKFLUSH_BASE_URL"]
        self.password = next(one["password"] for one in logins["users"] if one["username"] == "planner")
        self.browser = httpx.Client(base_url=base, timeout=30, trust_env=False, follow_redirects=True)
        token = {"Authorization": f"Token {logins['api_token']}"}
        self.program = httpx.Client(base_url=f"{base}/api/v1", timeout=30, trust_env=False, headers=token)
        address = json.loads((var / "sandbox" / "address.json").read_text(encoding="utf-8"))
        control = {"X-Sandbox-Control-Token": address["control_token"]}
        self.shop = httpx.Client(base_url=os.environ["SANDBOX_SHOP_URL"], timeout=30, trust_env=False, headers=control)

    # --- the planner's browser ---

    def log_in(self) -> None:
        page = self.page("/admin/login/?next=/")
        fields = Form(page, mark="login").fields | {"username": "planner", "password": self.password, "next": "/"}
        answer = self.browser.post("/admin/login/", data=fields, headers={"Referer": str(self.browser.base_url)})
        if answer.status_code != 200 or "sessionid" not in self.browser.cookies:
            fail(f"the planner cannot log in (HTTP {answer.status_code})")

    def page(self, path: str) -> str:
        answer = self.browser.get(path)
        if answer.status_code != 200:
            fail(f"page {path} answered HTTP {answer.status_code}")
        return answer.text

    def submit(self, path: str, fields: dict[str, str]) -> str:
        answer = self.browser.post(path, data=fields, headers={"Referer": str(self.browser.base_url)})
        if answer.status_code != 200 or not answer.history:
            fail(f"form {path} was not accepted (HTTP {answer.status_code})")
        return str(answer.url)

    def call(self, method: str, path: str, body: dict[str, Any], *, status: int) -> Any:
        """The REST API as the page would call it: with the session and its CSRF token."""
        headers = {
            "X-CSRFToken": self.browser.cookies.get("csrftoken") or "",
            "Referer": str(self.browser.base_url),
            "Idempotency-Key": str(uuid.uuid4()),
        }
        answer = self.browser.request(method, f"/api/v1{path}", json=body, headers=headers)
        if answer.status_code != status:
            fail(f"{method} {path} answered HTTP {answer.status_code}: {answer.text[:300]}")
        return answer.json()

    # --- the program ---

    def read(self, path: str, **parameters: str) -> Any:
        answer = self.program.get(path, params=parameters)
        if answer.status_code != 200:
            fail(f"GET {path} answered HTTP {answer.status_code}: {answer.text[:300]}")
        return answer.json()

    def rows(self, path: str, **parameters: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.read(path, **parameters)["results"]
        return found

    def available(self, sku: str) -> Decimal:
        """On hand with status available, wherever it stands but at a channel that sells it itself; stock unit."""
        rows = self.rows("/stock/", item=sku, status="available")
        return sum((Decimal(row["quantity"]) for row in rows if row["location"] != CHANNEL_STOCK), Decimal(0))

    def bom(self, sku: str) -> dict[str, Any]:
        """The active version with its lines."""
        heads = self.rows("/boms/", item=sku, state="active")
        found: dict[str, Any] = self.read(f"/boms/{heads[0]['id']}/")
        return found

    def push(self) -> dict[str, Any]:
        (listing,) = self.rows("/listings/", external_sku=LISTING)
        found: dict[str, Any] = listing["push"]
        return found

    # --- the shop ---

    def shown(self) -> int:
        """What a shopper could buy."""
        answer = self.shop.get("/sandbox/state", params={"sku": LISTING})
        return int(answer.json()["products"][0]["available"])


def wait_for(words: str, is_so: Callable[[], bool], *, seconds_max: float) -> float:
    """Seconds until it is so; ends the run when it takes longer than it may."""
    began = time.monotonic()
    while not is_so():
        if time.monotonic() - began > seconds_max:
            fail(f"{words} did not happen within {seconds_max:.0f} s")
        time.sleep(0.1)
    return time.monotonic() - began


def needs(product: Product, bom: dict[str, Any], good: Decimal) -> dict[str, Decimal]:
    """What the BOM takes for `good` units, by SKU in stock units: phantoms exploded, consumables left out, S1 and S2."""
    exact: dict[str, Fraction] = {}
    units: dict[str, Decimal] = {}

    def add(version: dict[str, Any], quantity: Fraction) -> None:
        for line in version["lines"]:
            factor = Fraction(line["unit_numerator"]) / Fraction(line["unit_denominator"])
            per_unit = Fraction(line["quantity"]) * factor / Fraction(version["makes"])
            need = quantity * per_unit * (1 + Fraction(line["scrap_percent"]) / 100)
            item = product.rows("/items/", sku=line["component"])[0]
            if line["is_phantom"] or item["kind"] == "phantom":
                add(product.bom(line["component"]), need)
            elif not line["is_consumable"]:
                exact[line["component"]] = exact.get(line["component"], Fraction(0)) + need
                units[line["component"]] = Decimal(item["step"])

    add(bom, Fraction(good))
    return {sku: rounded(need, units[sku]) for sku, need in exact.items()}


def rounded(need: Fraction, step: Decimal) -> Decimal:
    """Whole things round up, measured ones half up to the step."""
    count = need / Fraction(step)
    whole = step == step.to_integral_value()
    return (math.ceil(count) if whole else math.floor(count + Fraction(1, 2))) * step


def published(available: Decimal) -> int:
    """The demo's rule: nine tenths of what is above the buffer."""
    return math.floor(max(Fraction(available) - Fraction(BUFFER), Fraction(0)) * SHARE)


def edit_bom(product: Product) -> dict[str, Any]:
    """A draft of the active version, one line changed, activated. Returns the new active version."""
    before = product.bom(PRODUCT)
    draft = product.call("POST", "/boms/", {"item": PRODUCT, "copy_of": before["id"]}, status=201)
    names = (
        "component",
        "quantity",
        "unit",
        "scrap_percent",
        "setup_quantity",
        "rounding_multiple",
        "issue_method",
        "is_consumable",
        "is_optional",
        "is_phantom",
        "reference",
        "note",
    )
    lines = [{name: line[name] for name in names} for line in draft["lines"]]
    changed = next(line for line in lines if line["component"] == CHANGED)
    old, changed["quantity"] = changed["quantity"], text(CHANGED_TO)
    product.call("PUT", f"/boms/{draft['id']}/lines/", {"lines": lines}, status=200)
    product.call("POST", f"/boms/{draft['id']}/activate/", {}, status=200)
    after = product.bom(PRODUCT)
    expect(f"active version of {PRODUCT} (was v{before['version']})", found=after["version"], wanted=draft["version"])
    line = next(line for line in after["lines"] if line["component"] == CHANGED)
    expect(f"{CHANGED} per batch, {line['unit']} (was {old})", found=Decimal(line["quantity"]), wanted=CHANGED_TO)
    return after


def complete(product: Product) -> tuple[int, float]:
    """Fill in and send the form for the floor. Returns the completion's id and when it was posted."""
    page = product.page(f"/make/complete/?what={PRODUCT}")
    fields = Form(page, mark="complete").fields | {
        "good": text(GOOD),
        "output_location": PLACE,
        "action": "complete",
    }
    product.submit("/make/complete/", fields)
    posted_at = time.monotonic()
    newest = product.rows("/completions/", item=PRODUCT)[0]
    expect("good units of the newest completion", found=Decimal(newest["good"]), wanted=GOOD)
    return int(newest["id"]), posted_at


def undo(product: Product, completion: int) -> float:
    """Take the completion back by the button on its page. Returns when that was done."""
    path = f"/make/completions/{completion}/"
    fields = Form(product.page(path), mark="undo").fields | {"good": "", "reason": "smoke run"}
    product.submit(f"{path}undo/", fields)
    undone_at = time.monotonic()
    done = product.read(f"/completions/{completion}/")
    expect(f"completion {completion} is taken back", found=done["is_reversed"], wanted=True)
    return undone_at


def see_in_shop(product: Product, *, before: int, wanted: int, since: float) -> None:
    """The new figure is worked out, sent, and shown to shoppers."""
    words = f"the shop shows {wanted} {LISTING}"
    wait_for(words, lambda: product.shown() == wanted, seconds_max=SHOP_SECONDS_MAX)
    within = time.monotonic() - since
    expect(f"shop shows {LISTING} (was {before}; within {within:.1f} s)", found=product.shown(), wanted=wanted)
    wait_for("the shop confirms", lambda: is_confirmed(product.push()), seconds_max=SHOP_SECONDS_MAX)
    expect("published quantity of the listing", found=product.push()["wanted"], wanted=wanted)


def is_confirmed(push: dict[str, Any]) -> bool:
    version, confirmed = int(push["version"]), int(push["confirmed_version"])
    return version > 0 and confirmed == version


def main() -> int:
    began = time.monotonic()
    product = Product()
    product.log_in()
    for path in ("/", "/stock/", "/make/complete/", "/channels/", "/admin/"):
        product.page(path)
    print("ok     the planner is logged in and sees the pages", flush=True)
    first = wait_for("the first figures", lambda: is_confirmed(product.push()), seconds_max=FIRST_SYNC_SECONDS_MAX)
    stock_before = product.available(PRODUCT)
    shown_before = published(stock_before)
    expect(f"shop shows {LISTING} at first ({first:.1f} s)", found=product.shown(), wanted=shown_before)

    bom = edit_bom(product)
    wanted = needs(product, bom, GOOD)
    before = {sku: product.available(sku) for sku in wanted}
    completion, posted_at = complete(product)
    see_in_shop(product, before=shown_before, wanted=published(stock_before + GOOD), since=posted_at)
    for sku, need in wanted.items():
        words = f"{sku} on hand (was {text(before[sku])}, {text(need)} used)"
        expect(words, found=text(product.available(sku)), wanted=text(before[sku] - need))
    words = f"{PRODUCT} on hand (was {text(stock_before)}, {text(GOOD)} made)"
    expect(words, found=text(product.available(PRODUCT)), wanted=text(stock_before + GOOD))

    undone_at = undo(product, completion)
    see_in_shop(product, before=published(stock_before + GOOD), wanted=shown_before, since=undone_at)
    for sku in wanted:
        expect(f"{sku} on hand again", found=text(product.available(sku)), wanted=text(before[sku]))
    expect(f"{PRODUCT} on hand again", found=text(product.available(PRODUCT)), wanted=text(stock_before))
    print(f"All figures are right ({time.monotonic() - began:.1f} s).", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
