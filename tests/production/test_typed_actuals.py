"""What was really used, as it is typed in one cell."""

import pytest

from inventory.errors import InvalidQuantity
from production.typed_actuals import TypedActual, read_actuals


@pytest.mark.parametrize(
    ("text", "actuals"),
    [
        ("", []),
        ("WAX = 2.1 kg", [TypedActual("WAX", "2.1 kg")]),
        (
            "WAX = 2,1 kg (spilled; twice); WICK=11",
            [TypedActual("WAX", "2,1 kg", reason="spilled; twice"), TypedActual("WICK", "11")],
        ),
        ("WICK = 0\nWAX = 2", [TypedActual("WICK", "0"), TypedActual("WAX", "2")]),
        ("WAX = 2 kg spoiled 0.1 (dropped)", [TypedActual("WAX", "2 kg", spoiled="0.1", reason="dropped")]),
        (
            "WAX = 2 kg [L-1 1.5, L-2] (as found)",
            [TypedActual("WAX", "2 kg", lots=(("L-1", "1.5"), ("L-2", "")), reason="as found")],
        ),
        ("Soy flakes for WAX = 2 kg", [TypedActual("Soy flakes", "2 kg", replaces="WAX")]),
    ],
)
def test_reads_components_quantities_reasons_lots_and_substitutes(text, actuals):
    assert read_actuals(text) == actuals


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2.1 kg", "does not say what was used"),
        ("WAX =", "does not say what was used"),
        ("WAX = 1; wax = 2", "named twice"),
        ("WAX = 2 [L-1, L-2]", "Only one may take the rest"),
        (";".join(f"C{number} = 1" for number in range(51)), "more than 50 components"),
    ],
)
def test_refuses_what_says_something_else(text, message):
    with pytest.raises(InvalidQuantity, match=message):
        read_actuals(text)
