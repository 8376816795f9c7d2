"""Lists as PostgreSQL writes arrays: one text for the whole list, several times quicker than adapting element by element."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal


def numbers(values: Iterable[int | Decimal | None]) -> str:
    """For `%s::bigint[]` and `%s::numeric[]`: `{1,2.50,NULL}`."""
    return "{" + ",".join(map(str, values)).replace("None", "NULL") + "}"


def days(values: Iterable[date | None]) -> str:
    """For `%s::date[]`."""
    return "{" + ",".join(["NULL" if value is None else value.isoformat() for value in values]) + "}"


def texts(values: Iterable[str]) -> str:
    """For `%s::text[]`; every element is quoted, so that it may hold anything but a zero byte."""
    elements = list(values)
    joined = '","'.join(elements)
    if "\\" in joined or joined.count('"') > 2 * max(len(elements) - 1, 0):
        joined = '","'.join([element.replace("\\", "\\\\").replace('"', '\\"') for element in elements])
    return f'{{"{joined}"}}' if elements else "{}"


def flags(values: Iterable[bool]) -> str:
    """For `%s::boolean[]`."""
    return "{" + ",".join(["t" if value else "f" for value in values]) + "}"
