"""Shopify's published schema judges what the adapter sends and what the sandbox serves."""

from __future__ import annotations

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLScalarType,
    Undefined,
    coerce_input_value,
    parse,
    validate,
)

from channels_sync.adapters.base import QuantityPush
from channels_sync.adapters.shopify import ShopifyAdapter, documents, mapping
from channels_sync.sandbox.graphql_api import VERSIONS, schema_for
from tests.contracts.official_schemas import official_schema

SPECIFIED_SCALARS = {"Int", "Float", "String", "Boolean", "ID"}


def differences(ours, theirs, where):
    """What stands in our arguments or fields and is not the same in the official ones."""
    found = []
    for name, mine in ours.items():
        other = theirs.get(name)
        if other is None:
            found.append(f"{where}.{name} does not exist")
        elif str(mine.type) != str(other.type):
            found.append(f"{where}.{name} is {other.type}, not {mine.type}")
        else:
            found += differences(getattr(mine, "args", {}), getattr(other, "args", {}), f"{where}.{name}")
            if hasattr(mine, "default_value") and mine.default_value != other.default_value:
                found.append(f"{where}.{name} defaults to {other.default_value}, not {mine.default_value}")
    return found


def missing_required(ours, theirs, where):
    """Arguments and input fields the official schema demands and ours does not have."""
    return [
        f"{where}.{name} is required"
        for name, other in theirs.items()
        if name not in ours and str(other.type).endswith("!") and other.default_value is Undefined
    ]


def test_the_sandbox_serves_the_versions_the_adapter_offers():
    assert set(VERSIONS) == set(ShopifyAdapter.API_VERSIONS)


@pytest.mark.parametrize("version", ShopifyAdapter.API_VERSIONS)
@pytest.mark.parametrize("name", sorted(documents.ALL_DOCUMENTS))
def test_every_document_is_valid_for_shopify_and_for_the_sandbox(version, name):
    document = parse(documents.ALL_DOCUMENTS[name])

    assert validate(official_schema(version), document) == []
    assert validate(schema_for(version), document) == []


@pytest.mark.parametrize("version", ShopifyAdapter.API_VERSIONS)
def test_every_document_constant_is_among_those_judged(version):
    texts = {value for name, value in vars(documents).items() if name.isupper() and isinstance(value, str)}
    sent = {text for text in texts if text.lstrip().startswith(("query", "mutation"))}

    assert sent == set(documents.ALL_DOCUMENTS.values())


@pytest.mark.parametrize("version", ShopifyAdapter.API_VERSIONS)
def test_the_variables_of_a_push_fit_the_official_input(version):
    row = QuantityPush(
        "L", "S", "gid://shopify/InventoryItem/1", "gid://shopify/Location/2", 7, None, 1, "k", "a://b/c"
    )
    variables = mapping.set_quantities_variables([row], key="key")
    problems = []

    coerce_input_value(
        variables["input"],
        official_schema(version).type_map["InventorySetQuantitiesInput"],
        lambda path, value, error: problems.append((path, value, error.message)),
    )

    assert problems == []
    assert variables["input"]["quantities"][0]["changeFromQuantity"] is None


@pytest.mark.parametrize("version", VERSIONS)
def test_the_sandbox_schema_is_a_part_of_the_official_one(version):
    ours, theirs = schema_for(version), official_schema(version)
    found = []

    for name, mine in ours.type_map.items():
        if name.startswith("__") or name in SPECIFIED_SCALARS:
            continue
        other = theirs.type_map.get(name)
        if other is None or type(other) is not type(mine):
            found.append(f"{name} is {other!r} there")
        elif isinstance(mine, GraphQLObjectType | GraphQLInterfaceType):
            found += differences(mine.fields, other.fields, name)
            for field in mine.fields:
                if field in other.fields:
                    where = f"{name}.{field}"
                    found += missing_required(mine.fields[field].args, other.fields[field].args, where)
            if not {i.name for i in mine.interfaces} <= {i.name for i in other.interfaces}:
                found.append(f"{name} implements something else there")
        elif isinstance(mine, GraphQLInputObjectType):
            found += differences(mine.fields, other.fields, name) + missing_required(mine.fields, other.fields, name)
        elif isinstance(mine, GraphQLEnumType):
            found += [f"{name}.{value} does not exist" for value in mine.values if value not in other.values]
        else:
            assert isinstance(mine, GraphQLScalarType)

    assert found == []
    assert str(ours.get_directive("idempotent").args["key"].type) == "String!"
    assert theirs.get_directive("idempotent") is not None


@pytest.mark.parametrize("version", VERSIONS)
def test_the_sandbox_inputs_and_error_codes_are_complete(version):
    """An input field or code Shopify has and the sandbox has not would be a version difference nobody noticed."""
    ours, theirs = schema_for(version), official_schema(version)

    for name in ("InventorySetQuantitiesInput", "InventoryQuantityInput"):
        assert set(ours.type_map[name].fields) == set(theirs.type_map[name].fields)
    codes = "InventorySetQuantitiesUserErrorCode"
    assert set(ours.type_map[codes].values) == set(theirs.type_map[codes].values)
