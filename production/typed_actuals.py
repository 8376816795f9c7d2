"""What was really used, as it is typed in one cell: `WAX = 2.1 kg (spilled); WICK = 11`. Pure.

Parts are parted by semicolons or line ends. Each names a component and a quantity with a unit if it is not the stock unit, and
may go on with: `spoiled 0.1`, the part of it that was spoiled; lots in square brackets, `[L-1 1.5, L-2]`, of which one may take
the rest; the reason in round brackets. `SOY for WAX = 2 kg` was used instead of a component.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from inventory.errors import InvalidQuantity

PARTS_MAX = 50
EXAMPLE = "WAX = 2.1 kg (spilled); WICK = 11"
_PART = re.compile(
    r"^(?P<component>[^=]+)=\s*"
    r"(?P<quantity>[^(\[]*?)"
    r"(?:\s+spoiled\s+(?P<spoiled>[^(\[]+?))?\s*"
    r"(?:\[(?P<lots>[^\]]*)\]\s*)?"
    r"(?:\((?P<reason>.*)\)\s*)?$",
    re.IGNORECASE,
)
_INSTEAD = re.compile(r"^(?P<other>.+?)\s+for\s+(?P<replaced>.+)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TypedActual:
    """One component as typed: names and quantities are text. A lot without a quantity takes what the others leave."""

    component: str
    quantity: str
    spoiled: str = ""
    replaces: str = ""
    lots: Sequence[tuple[str, str]] = ()
    reason: str = ""


def read_actuals(text: str) -> list[TypedActual]:
    """The components of a cell. Raises InvalidQuantity for a part that says something else, and for a component named twice."""
    found = [_actual(part) for part in _parts(text)]
    if len(found) > PARTS_MAX:
        raise InvalidQuantity(f"That is more than {PARTS_MAX} components. Record it in a completion of its own.")
    names = [(actual.component.casefold(), actual.replaces.casefold()) for actual in found]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise InvalidQuantity(f"{found[number].component} is named twice. Give each component once.")
    return found


def _parts(text: str) -> list[str]:
    """Split at semicolons and line ends outside of brackets: a reason may hold a semicolon."""
    parts, depth, start = [], 0, 0
    for place, character in enumerate(text):
        if character in "([":
            depth += 1
        elif character in ")]":
            depth = max(depth - 1, 0)
        elif depth == 0 and character in ";\n":
            parts.append(text[start:place])
            start = place + 1
    parts.append(text[start:])
    return [part.strip() for part in parts if part.strip()]


def _actual(part: str) -> TypedActual:
    match = _PART.match(part)
    if match is None or not match["quantity"].strip():
        raise InvalidQuantity(f"“{part[:60]}” does not say what was used. Write it as {EXAMPLE}.", given=part[:100])
    component, replaces = match["component"].strip(), ""
    instead = _INSTEAD.match(component)
    if instead is not None:
        component, replaces = instead["other"].strip(), instead["replaced"].strip()
    return TypedActual(
        component=component,
        quantity=match["quantity"].strip(),
        spoiled=(match["spoiled"] or "").strip(),
        replaces=replaces,
        lots=_lots(match["lots"] or "", part),
        reason=(match["reason"] or "").strip(),
    )


def _lots(text: str, part: str) -> tuple[tuple[str, str], ...]:
    lots = []
    for piece in text.split(","):
        words = piece.split(maxsplit=1)
        if words:
            lots.append((words[0], words[1].strip() if len(words) > 1 else ""))
    if sum(1 for _, quantity in lots if not quantity) > 1:
        raise InvalidQuantity(f"“{part[:60]}” has two lots without a quantity. Only one may take the rest.")
    return tuple(lots)
