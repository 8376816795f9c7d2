"""Shopify's cost of a document and the leaky bucket that pays for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_leaf_type,
)

MUTATION_COST = 10
QUERY_COST_MAX = 1_000


def document_cost(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any]
) -> int:
    """Points of a valid operation: 10 per mutation, 1 per object, connections and lists of ids by their size."""
    if operation.operation is OperationType.MUTATION:
        return MUTATION_COST * sum(isinstance(node, FieldNode) for node in operation.selection_set.selections)
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    root = schema.query_type
    assert root is not None
    return max(1, _selection_cost(schema, operation.selection_set, root, fragments, variables))


def _selection_cost(
    schema: GraphQLSchema,
    selections: SelectionSetNode | None,
    parent: Any,
    fragments: Mapping[str, FragmentDefinitionNode],
    variables: Mapping[str, Any],
) -> int:
    cost = 0
    for node in selections.selections if selections is not None else ():
        if isinstance(node, FieldNode):
            cost += _field_cost(schema, node, parent, fragments, variables)
        elif isinstance(node, InlineFragmentNode):
            inner = schema.type_map[node.type_condition.name.value] if node.type_condition else parent
            cost += _selection_cost(schema, node.selection_set, inner, fragments, variables)
        elif isinstance(node, FragmentSpreadNode):
            fragment = fragments[node.name.value]
            inner = schema.type_map[fragment.type_condition.name.value]
            cost += _selection_cost(schema, fragment.selection_set, inner, fragments, variables)
    return cost


def _field_cost(
    schema: GraphQLSchema,
    node: FieldNode,
    parent: Any,
    fragments: Mapping[str, FragmentDefinitionNode],
    variables: Mapping[str, Any],
) -> int:
    name = node.name.value
    definition = (
        parent.fields.get(name) if isinstance(parent, GraphQLObjectType) else getattr(parent, "fields", {}).get(name)
    )
    if name.startswith("__") or definition is None:
        return 0
    field_type = get_named_type(definition.type)
    if is_leaf_type(field_type):
        return 0
    inside = _selection_cost(schema, node.selection_set, field_type, fragments, variables)
    if name == "pageInfo":
        return 0
    times = _times(node, variables)
    return 1 + inside if times is None else 2 + times * max(1, inside)


def _times(node: FieldNode, variables: Mapping[str, Any]) -> int | None:
    """How many objects the field may bring: `first` of a connection or the number of `ids`; None for a single one."""
    for argument in node.arguments:
        if argument.name.value not in {"first", "ids"}:
            continue
        value = argument.value
        if isinstance(value, VariableNode):
            given = variables.get(value.name.value)
            return len(given) if isinstance(given, list) else int(given or 0)
        if isinstance(value, IntValueNode):
            return int(value.value)
        if isinstance(value, ListValueNode):
            return len(value.values)
    return None


class Bucket:
    """An app's allowance: `points_max` at most, refilled by `refill_per_second`."""

    def __init__(
        self, *, points_max: float, refill_per_second: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._points_max = points_max
        self._refill_per_second = refill_per_second
        self._clock = clock
        self._points = points_max
        self._filled_at = clock()
        self._lock = threading.Lock()

    def take(self, points: float) -> bool:
        """Pay; false and nothing paid when the bucket holds less."""
        with self._lock:
            self._fill()
            if points > self._points:
                return False
            self._points -= points
            return True

    def as_json(self) -> dict[str, float]:
        """The `throttleStatus` of an answer."""
        with self._lock:
            self._fill()
            return {
                "maximumAvailable": float(self._points_max),
                "currentlyAvailable": int(self._points),
                "restoreRate": float(self._refill_per_second),
            }

    def _fill(self) -> None:
        now = self._clock()
        self._points = min(self._points_max, self._points + (now - self._filled_at) * self._refill_per_second)
        self._filled_at = now
