"""How much a supplier lets one order. Pure."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from inventory.quantities import ZERO, as_text, proportion, round_half_up, round_up


@dataclass(frozen=True, slots=True)
class OrderTerms:
    """A supplier's terms for an item, in the unit it is bought in; None where there are none."""

    minimum: Decimal | None = None
    multiple: Decimal | None = None


def orderable(quantity: Decimal, terms: OrderTerms) -> Decimal:
    """The smallest quantity from `quantity` on that the terms allow: at least the minimum, then up to the multiple."""
    wanted = max(quantity, terms.minimum or ZERO)
    return wanted if terms.multiple is None else round_up(Fraction(wanted), terms.multiple)


def terms_hint(quantity: Decimal, terms: OrderTerms, *, unit: str) -> str:
    """What the terms say against `quantity`, in words; empty when they allow it. A hint: orders may differ from terms."""
    fit = orderable(quantity, terms)
    if fit == quantity:
        return ""
    words = []
    if terms.minimum is not None and quantity < terms.minimum:
        words.append(f"at least {as_text(terms.minimum)} {unit}")
    if terms.multiple is not None:
        words.append(f"multiples of {as_text(terms.multiple)} {unit}")
    return f"The supplier sells {' in '.join(words)}: order {as_text(fit)} {unit}."


def receipt_value(
    *,
    value: Decimal | None,
    ordered: Decimal,
    received: Decimal,
    booked: Decimal | None,
    quantity: Decimal,
    step: Decimal,
) -> Decimal | None:
    """What `quantity` more of an order line is worth (base currency); None while the line has no price.

    The running total is rounded, so that the receipts of the whole line sum to its price to the cent: `booked` is what the
    `received` units before are worth, None when some of them came in while there was no price. More than was ordered costs
    the same each.
    """
    if value is None:
        return None
    due = proportion(value, received + quantity, ordered, step=step)
    before = proportion(value, received, ordered, step=step) if booked is None else booked
    return max(due - before, ZERO)


def price_of(quantity: Decimal, unit_cost: Decimal, *, step: Decimal) -> Decimal:
    """What `quantity` at `unit_cost` each comes to, rounded to the currency `step`."""
    return round_half_up(Fraction(quantity) * Fraction(unit_cost), step)
