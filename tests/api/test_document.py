"""The OpenAPI document: valid, without warnings, and true to what the endpoints ask for."""

import pytest
from django.core.management import call_command
from drf_spectacular.generators import SchemaGenerator

from config import api_urls


@pytest.fixture(scope="module")
def document():
    return SchemaGenerator().get_schema(public=True)


def test_is_valid_and_generated_without_warnings(tmp_path):
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "openapi.yml"))

    assert (tmp_path / "openapi.yml").stat().st_size > 100_000


def test_asks_for_the_key_exactly_where_the_endpoint_does(document):
    keyed = set()
    for path in document["paths"].values():
        for operation in path.values():
            names = {parameter["name"]: parameter for parameter in operation.get("parameters", ())}
            if "Idempotency-Key" in names:
                assert names["Idempotency-Key"]["required"]
                keyed.add(operation["operationId"])

    assert keyed == {
        f"{basename.replace('-', '_')}_{action}"
        for _, view, basename in api_urls.router.registry
        for action, endpoint in view.endpoints.items()
        if endpoint.is_keyed
    }
    assert {"completions_create", "completions_reverse", "receipts_create", "postings_reverse"} <= keyed


def test_declares_what_every_endpoint_may_answer(document):
    for address, path in document["paths"].items():
        for method, operation in path.items():
            declared = set(operation["responses"])
            assert {"401", "403"} <= declared
            assert ("404" in declared) == ("{" in address)
            if method != "get":
                assert {"409", "503"} <= declared
            if "requestBody" in operation:
                assert {"400", "413", "415"} <= declared


def test_bodies_take_no_unknown_fields(document):
    bodies = [name for name in document["components"]["schemas"] if name.endswith("Request")]

    assert bodies
    assert all(document["components"]["schemas"][name].get("additionalProperties") is False for name in bodies)


def test_component_names_are_words_of_the_domain(document):
    names = set(document["components"]["schemas"])

    assert {
        "Item",
        "Completion",
        "CompletionRequest",
        "Posting",
        "Movement",
        "StockStatus",
        "Error",
        "WorkOrder",
    } <= names
    assert not [
        name
        for name in names
        if "Serializer" in name or "Input" in name or (name.endswith("Enum") and name != "NullEnum")
    ]
