"""What must be true after the kills. Each check compares the journal of the clients with the database or the shop.

The expected figures are worked out here from the journal alone, by other code than the product's.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal

from tests.reliability.workshop import ON_HAND_FIRST

FINDINGS_MAX = 10

KINDS = {"completion": "completion", "receipt": "receipt", "issue": "issue", "reversal": "reversal"}
"""Kinds of requests and the kinds of postings they make."""


@dataclass
class Stored:
    """What the database holds of the run."""

    postings: dict[int, tuple[str, str, int | None]] = field(default_factory=dict)  # id -> key, kind, reverses
    moved: dict[int, dict[str, Decimal]] = field(default_factory=dict)  # posting -> SKU -> signed quantity
    movements: Counter = field(default_factory=Counter)  # posting -> rows
    completions: dict[int, tuple[str, Decimal, Decimal, int]] = field(
        default_factory=dict
    )  # posting -> item, good, reversed, lines
    told: set[int] = field(default_factory=set)  # postings that wrote news of stock
    on_hand: dict[str, Decimal] = field(default_factory=dict)


def expected_movements(request, recipes):
    """What an acknowledged request moved, by SKU."""
    if request.kind == "receipt":
        return {request.sku: request.quantity}
    if request.kind == "issue":
        return {request.sku: -request.quantity}
    sign = -1 if request.kind == "reversal" else 1
    used = {component: -sign * rate * request.quantity for component, rate in recipes[request.sku].items()}
    return {**used, request.sku: sign * request.quantity}


def expected_on_hand(requests, recipes):
    """Stock by SKU after all acknowledged requests."""
    stock = defaultdict(int, dict.fromkeys({c for recipe in recipes.values() for c in recipe}, ON_HAND_FIRST))
    stock.update(dict.fromkeys(recipes, 0))
    for request in requests:
        if request.status == "acknowledged":
            for sku, quantity in expected_movements(request, recipes).items():
                stock[sku] += quantity
    return dict(stock)


def acknowledged_exactly_once(requests, stored, recipes):
    """Each acknowledged request is one posting with its key, of its kind, with all it had to move and nothing else."""
    by_key = defaultdict(list)
    for posting_id, (key, kind, _) in stored.postings.items():
        by_key[key].append((posting_id, kind))
    findings = []
    for request in requests:
        if request.status != "acknowledged":
            continue
        found = by_key.get(request.key, [])
        name = f"{request.kind} {request.key}"
        if [kind for _, kind in found] != [KINDS[request.kind]]:
            findings.append(f"{name} was acknowledged as posting {request.posting_id}; found: {found or 'nothing'}")
            continue
        posting_id = found[0][0]
        wanted = expected_movements(request, recipes)
        moved = stored.moved.get(posting_id, {})
        if moved != wanted:
            findings.append(f"{name}: posting {posting_id} moved {moved}, not {wanted}")
        if request.kind == "completion":
            head = stored.completions.get(posting_id)
            if head is None or (head[0], head[1], head[3]) != (
                request.sku,
                request.quantity,
                len(recipes[request.sku]),
            ):
                findings.append(f"{name}: posting {posting_id} has the completion {head}")
        if request.kind == "reversal" and stored.postings[posting_id][2] != request.of.posting_id:
            findings.append(f"{name}: posting {posting_id} does not reverse {request.of.posting_id}")
    return findings


def nothing_else_is_there(requests, stored, *, first_receipt_count=1):
    """No refused request left a posting, and no posting came from nowhere."""
    status = {request.key: request.status for request in requests}
    findings, strangers = [], 0
    for posting_id, (key, kind, _) in stored.postings.items():
        if key not in status:
            strangers += 1
            if strangers > first_receipt_count:
                findings.append(f"posting {posting_id} ({kind}) has a key nobody sent")
        elif status[key] != "acknowledged":
            findings.append(f"posting {posting_id} ({kind}) is of a request whose fate is: {status[key]}")
    return findings


def every_fate_is_known(requests):
    return [
        f"{request.kind} {request.key} never got a clear answer in {request.attempts} attempts"
        for request in requests
        if request.status == "unknown"
    ]


def nothing_is_half_done(stored):
    """Every posting has movements and told of itself; a completion as many movements as components and output."""
    findings = []
    for posting_id, (_, kind, _) in stored.postings.items():
        if not stored.movements[posting_id]:
            findings.append(f"posting {posting_id} ({kind}) has no movements")
        if posting_id not in stored.told:
            findings.append(f"posting {posting_id} ({kind}) told nobody that stock changed")
        if kind == "completion":
            head = stored.completions.get(posting_id)
            if head is None or stored.movements[posting_id] != head[3] + 1:
                findings.append(f"completion {posting_id} ({head}) has {stored.movements[posting_id]} movements")
    findings += [f"completion {one} has no posting" for one in stored.completions if one not in stored.postings]
    return findings


def stock_is_what_was_acknowledged(requests, stored, recipes):
    return [
        f"{sku}: {stored.on_hand.get(sku, 0)} on hand, {quantity} by what was acknowledged"
        for sku, quantity in sorted(expected_on_hand(requests, recipes).items())
        if stored.on_hand.get(sku, 0) != quantity
    ]


def shop_shows_the_right_figures(requests, recipes, rules, shown):
    """`shown`: the shop's available quantity by SKU."""
    stock = expected_on_hand(requests, recipes)
    return [
        f"{sku}: the shop shows {shown.get(sku)}, {rule.shown(stock[sku])} is right for {stock[sku]} on hand"
        for sku, rule in sorted(rules.items())
        if shown.get(sku) != rule.shown(stock[sku])
    ]
