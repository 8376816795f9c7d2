"""Whole numbers that come from outside are read in one place: what Python takes for a digit is no number for `int`."""

import ast
from pathlib import Path

import pytest

from inventory.whole_numbers import whole_number, whole_numbers

ROOT = Path(__file__).parents[2]
APPS = ("inventory", "production", "channels_sync", "config")
READER = "inventory/whole_numbers.py"
CALLS = {"isdigit", "isdecimal", "isnumeric"}


def callers(source):
    """The lines that ask whether a text is made of digits."""
    return [
        node.lineno for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute) and node.attr in CALLS
    ]


def test_only_the_reader_of_whole_numbers_asks_whether_a_text_is_digits():
    paths = [path for app in APPS for path in sorted((ROOT / app).rglob("*.py"))]
    found = {
        f"{path.relative_to(ROOT)}:{line}"
        for path in paths
        if str(path.relative_to(ROOT)) != READER
        for line in callers(path.read_text())
    }

    assert len(paths) > 300
    assert found == set(), "use inventory.whole_numbers.whole_number"


def test_the_finder_sees_a_caller():
    assert callers("x = 1\nint(text) if text.isdigit() else 0\n") == [2]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("007", 7),
        ("9" * 18, 10**18 - 1),
        *[(text, None) for text in ("²", "٣", "-1", "1.0", " 1", "", "9" * 19, None, 7)],
    ],
)
def test_a_whole_number_is_ascii_digits_that_fit_an_id(text, number):
    assert whole_number(text) == number


def test_what_is_no_number_is_left_out_of_a_list():
    assert whole_numbers(["3", "²", "", "1"]) == [3, 1]
    assert whole_numbers(["12345", "123"], digits_max=4) == [123]
