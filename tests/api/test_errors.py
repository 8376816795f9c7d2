"""Whatever a client sends, the answer has one shape and is not an internal error."""

import pytest
from django.db import OperationalError

from tests.factories import make_item, make_location, put_on_hand

pytestmark = pytest.mark.django_db


def shape_of(response):
    body = response.json()
    assert set(body) == {"code", "detail", "context"}
    assert body["detail"]
    return response.status_code, body["code"]


def test_unknown_token(as_nobody):
    as_nobody.headers = {"Authorization": "Token " + "0" * 40}

    response = as_nobody.get("items/")

    assert shape_of(response) == (401, "UNAUTHENTICATED")
    assert response.headers["WWW-Authenticate"] == "Token"


@pytest.mark.parametrize("header", ["Token", "Token a b", "Token \x00", "Token é", "Token " + "9" * 5000, "Basic abc"])
def test_strange_tokens(as_nobody, header):
    as_nobody.headers = {"Authorization": header}

    assert shape_of(as_nobody.get("items/")) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize(
    "path",
    [
        "items/999/",
        "items/9999999999999999999999999/",
        "items/abc/",
        "items/%00/",
        "items/%0A/",
        "items/1",
        "no-such/",
        "items/1/nothing/",
        "",
        "\U0001f56f/",
        "completions/999999999999999999/",
        "postings/999999999999999999/",
    ],
)
def test_nothing_there(as_administrator, path):
    assert shape_of(as_administrator.get(path)) == (404, "NOT_FOUND")


def test_wrong_method(as_administrator):
    response = as_administrator.put("items/")

    assert shape_of(response) == (405, "METHOD_NOT_ALLOWED")
    assert "POST" in response.headers["Allow"]


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x"]
)
def test_other_media_types(as_administrator, content_type):
    response = as_administrator.send("POST", "categories/", raw="name=x", content_type=content_type)

    assert shape_of(response) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(
    "raw",
    [
        "{",
        '{"name": NaN}',
        '{"name": Infinity}',
        b"\xff\xfe",
        "[" * 100_000,
        '{"name": ' + "9" * 10_000 + "}",
        '{"a": 1} x',
    ],
)
def test_broken_json(as_administrator, raw):
    assert shape_of(as_administrator.send("POST", "categories/", raw=raw)) == (400, "MALFORMED")


@pytest.mark.parametrize(
    "raw", ["[]", "null", "1", '"x"', "{}", "true", '{"\\ud800": 1}', '{"name": "\\ud800"}', '{"name": "\\u0000"}']
)
def test_json_of_another_shape(as_administrator, raw):
    assert shape_of(as_administrator.send("POST", "categories/", raw=raw)) == (400, "INVALID")


def test_body_that_is_too_large(as_administrator):
    raw = '{"name": "' + "x" * 5_000_001 + '"}'

    assert shape_of(as_administrator.send("POST", "categories/", raw=raw)) == (413, "TOO_LARGE")


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "x"},
        {"cursor": "YTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5"},
        {"cursor": "é"},
        {"cursor": ""},
        {"page_size": "0"},
        {"page_size": "501"},
        {"page_size": "-1"},
        {"page_size": "1e2"},
        {"page_size": "٣"},
        {"category_id": "x"},
        {"category_id": "9" * 30},
        {"category_id": "1_0"},
        {"category_id": "1.0"},
        {"is_active": "maybe"},
        {"is_active": "1"},
        {"kind": "nonsense"},
        {"sku": "a\x00b"},
        {"search": ""},
        {"sku": "x" * 201},
        {"no_such_filter": "1"},
    ],
)
def test_parameters_that_say_nothing(as_administrator, query):
    response = as_administrator.get("items/", **query)

    assert shape_of(response) == (400, "INVALID")
    assert next(iter(query)) in response.json()["context"]


@pytest.mark.parametrize(
    "query", [{"recorded_from": "yesterday"}, {"recorded_from": "0001-01-01T00:00:00Z"}, {"key": "x"}]
)
def test_times_and_keys_that_say_nothing(as_administrator, query):
    assert shape_of(as_administrator.get("postings/", **query)) == (400, "INVALID")


def test_refusals_carry_their_figures_as_strings(as_administrator):
    item, place = make_item(sku="A"), make_location(code="L")
    put_on_hand(item, place, "2")

    response = as_administrator.post("issues/", {"item": "A", "location": "L", "quantity": "3"})

    assert shape_of(response) == (409, "INSUFFICIENT_STOCK")
    assert response.json()["context"]["on_hand"] == "2"
    assert response.json()["context"]["needed"] == "3"


def test_figures_beyond_the_books_are_refused(as_administrator):
    item, place = make_item(sku="A"), make_location(code="L")
    put_on_hand(item, place, "1000000", value="1.00")

    response = as_administrator.post("cost-corrections/", {"item": "A", "unit_cost": "99999999999999", "reason": "r"})

    assert shape_of(response) == (400, "INVALID_QUANTITY")


def test_every_unknown_name_is_told_with_its_place(as_administrator):
    make_item(sku="A")
    make_location(code="L")
    lines = [{"item": item, "location": place, "quantity": "1"} for item, place in (("A", "L"), ("B", "L"), (77, "L"))]

    response = as_administrator.post("receipts/", {"lines": lines})

    assert shape_of(response) == (400, "INVALID")
    assert set(response.json()["context"]["lines"]) == {"1", "2"}
    assert "“B”" in response.json()["detail"]


def test_database_that_is_busy_is_told_as_such(as_administrator, monkeypatch):
    class Busy(Exception):
        sqlstate = "55P03"

    def busy(**_):
        raise OperationalError("lock timeout") from Busy()

    monkeypatch.setattr("inventory.api.moving.issue_stock", busy)
    monkeypatch.setattr("inventory.operations.transactions.time.sleep", lambda seconds: None)
    make_item(sku="A")
    make_location(code="L")

    response = as_administrator.post("issues/", {"item": "A", "location": "L", "quantity": "1"})

    assert shape_of(response) == (503, "BUSY")
    assert response.headers["Retry-After"] == "1"


def test_bug_is_not_hidden(as_administrator, monkeypatch):
    def broken(**_):
        raise RuntimeError("a bug")

    monkeypatch.setattr("inventory.api.moving.issue_stock", broken)
    make_item(sku="A")
    make_location(code="L")

    with pytest.raises(RuntimeError, match="a bug"):
        as_administrator.post("issues/", {"item": "A", "location": "L", "quantity": "1"})
