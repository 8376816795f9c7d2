"""Whole numbers that arrive as text: ids in addresses and forms, numbers of rows, what is typed into a search."""

DIGITS_MAX = 18
"""The most digits that every id of the database has room for."""


def whole_number(text: object, *, digits_max: int = DIGITS_MAX) -> int | None:
    """The number that a text of 1 to `digits_max` ASCII digits says; None for everything else.

    `str.isdigit` alone does not do: it takes "²" for a digit, and `int` does not.
    """
    if not isinstance(text, str) or not text.isascii() or not text.isdigit() or len(text) > digits_max:
        return None
    return int(text)


def whole_numbers(texts: list[str], *, digits_max: int = DIGITS_MAX) -> list[int]:
    """The numbers among texts, in their order; what is none is left out."""
    return [number for text in texts if (number := whole_number(text, digits_max=digits_max)) is not None]
