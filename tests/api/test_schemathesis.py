"""Generated requests against the whole API, in-process and on a database with real commits.

Every address of the OpenAPI document gets valid and invalid requests; names of things are those of real objects, so that
requests get past the look-ups. What must hold: no 5xx, nothing answered that the document does not declare, and nothing
accepted that it rules out. `API_EXAMPLES` sets how many requests each address gets beyond the systematic ones.
"""

import os
from decimal import Decimal
from uuid import uuid4

import pytest
import schemathesis
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi import checks

from channels_sync.models import Channel, Listing
from config.wsgi import application
from inventory.models import ItemCategory, ItemKind, SupplierItem, Tracking
from inventory.operations.counting import open_count_sheet
from inventory.operations.transit import DispatchLine, dispatch_transfer
from production.models import BomState
from production.operations.work_orders import open_work_order
from tests.api.client import ApiClient
from tests.conftest import broken_invariants, committed_clone
from tests.factories import (
    make_item,
    make_location,
    make_order,
    make_supplier,
    make_unit,
    make_user,
    put_on_hand,
)
from tests.production.factories import complete, make_bom

EXAMPLES = int(os.environ.get("API_EXAMPLES", "2"))

CONFIG = SchemathesisConfig.from_dict(
    {
        "seed": 20251231,
        "generation": {"mode": "all", "max-examples": EXAMPLES, "deterministic": True},
        "phases": {"coverage": {"enabled": True}, "stateful": {"enabled": False}},
    }
)

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.missing_required_header,
    checks.unsupported_method,
    checks.ignored_auth,
]
"""Left out: positive_data_acceptance, since a well-formed quantity may still be refused (its step, the stock), and the
checks over several requests, for which the document has no links."""

TOLD_BY_ROW = ("/api/v1/completions/batch/", "/api/v1/completions/batch/preview/")
"""A name that no object has is told in its row and does not refuse the request; malformed bodies are refused, see
tests/production/api/test_completion_batches.py."""

CODES = {
    "item": ["CANDLE", "WAX", "WICK", "KIT"],
    "component": ["WAX", "WICK", "CANDLE"],
    "location": ["BENCH", "SHELF"],
    "source": ["BENCH"],
    "target": ["SHELF"],
    "source_location": ["BENCH"],
    "output_location": ["SHELF"],
    "parent": ["SITE", "BENCH"],
    "lot": ["W1", "W2"],
    "work_order": ["WO-000001"],
    "channel": ["shop"],
    "supplier": ["CHANDLER"],
}


def with_real_names(node):
    """The document with the codes of real objects wherever a body names one; integers stay free."""
    if isinstance(node, dict):
        for name, schema in (node.get("properties") or {}).items():
            if name in CODES and "oneOf" in schema:
                schema["oneOf"][0] = {"type": "string", "enum": CODES[name]}
        for value in node.values():
            with_real_names(value)
    elif isinstance(node, list):
        for value in node:
            with_real_names(value)
    return node


def fill():
    """A small company: a candle of wax (in lots) and a wick, stock, an order, a completion, a channel."""
    site = make_location(code="SITE")
    bench, shelf = make_location(code="BENCH", parent=site), make_location(code="SHELF", parent=site)
    ItemCategory.objects.create(name="Candles")
    wax = make_item(sku="WAX", unit="g", step="0.1", tracking=Tracking.LOT)
    wick = make_item(sku="WICK")
    candle = make_item(sku="CANDLE", kind=ItemKind.PRODUCT)
    kit = make_item(sku="KIT", kind=ItemKind.PHANTOM)
    make_unit(item=wick, name="box", numerator="50")
    make_bom(item=candle, lines=[(wax, "100"), (wick, "1")])
    make_bom(item=candle, lines=[(wax, "90"), (wick, "1")], state=BomState.DRAFT)
    make_bom(item=kit, lines=[(candle, "2")], state=BomState.DRAFT)
    put_on_hand(wax, bench, "150", value="3.00", lot="W1")
    put_on_hand(wax, bench, "5000", lot="W2")
    put_on_hand(wick, bench, "500", value="50.00")
    line = DispatchLine(wick, Decimal(10))
    dispatch_transfer(key=uuid4(), source=bench, target=shelf, lines=[line], actor=None)
    open_work_order(item=candle, planned=Decimal(5), output_location=shelf, source_location=bench, actor=None)
    complete(candle, "1", into=shelf, source_location=bench)
    open_count_sheet(location=bench, actor=None, is_blind=False)
    chandler = make_supplier(code="CHANDLER")
    SupplierItem.objects.create(supplier=chandler, item=wick)
    make_order([(wick, "500", "50.00"), (wax, "5000", None)], supplier=chandler, location=bench)
    make_order([(wick, "100", None)], supplier=chandler, location=bench, placed=False)
    channel = Channel.objects.create(code="shop", name="Shop", base_url="https://shop.example")
    Listing.objects.create(channel=channel, item=candle, external_sku="CANDLE-1")


def load():
    """The document as the API serves it, with real names in it."""
    loaded = schemathesis.openapi.from_dict(with_real_names(SchemaGenerator().get_schema(public=True)), config=CONFIG)
    loaded.app = application
    return loaded


@pytest.fixture(scope="module")
def callers(django_db_setup, django_db_blocker):
    """One company in a database of its own for all addresses, and its callers by role."""
    with committed_clone(django_db_blocker):
        fill()
        yield {role: ApiClient(make_user(role=role)) for role in ("administrator", "viewer")}


document = load()


@pytest.mark.slow
@document.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_declared_and_none_is_a_server_error(case, callers):
    wanted = [check for check in CHECKS if case.path not in TOLD_BY_ROW or check is not checks.negative_data_rejection]
    case.call_and_validate(headers=callers["administrator"].headers, checks=wanted)


ONLY_READ = ("/api/v1/buildable/partition/",)
"""Questions that are asked with a body."""


@pytest.mark.slow
def test_viewer_gets_declared_answers_too(callers):
    for result in document.get_all_operations():
        for case, answer in generated(result.ok(), callers["viewer"], examples=1):
            case.validate_response(answer, checks=CHECKS[:5])
            assert case.method == "GET" or case.path in ONLY_READ or answer.status_code == 403


@pytest.mark.slow
def test_ledger_is_true_after_generated_requests(callers):
    accepted = 0

    for result in document.get_all_operations():
        if result.ok().method == "post":
            for _, answer in generated(result.ok(), callers["administrator"], examples=EXAMPLES * 3):
                assert answer.status_code < 500
                accepted += answer.status_code == 201

    assert accepted > 0
    assert broken_invariants() == []


def generated(operation, caller, *, examples):
    """Valid requests to one address, sent; the cases with their answers."""
    sent = []

    @settings(
        max_examples=examples, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
    def send(case):
        sent.append((case, case.call(headers=caller.headers)))

    send()
    return sent
