"""Who may do what over the REST API: every address and method, for every role. An address that is missing here fails."""

import re

import pytest
from django.urls import get_resolver
from rest_framework.viewsets import ViewSetMixin

from config import api_urls
from tests.api.client import ApiClient
from tests.factories import make_user

VIEWER, OPERATOR, PLANNER, ADMINISTRATOR = "viewer", "operator", "planner", "administrator"
COUNTER, APPROVER = "counter", "approver"
ROLES = (VIEWER, COUNTER, OPERATOR, PLANNER, APPROVER, ADMINISTRATOR)
EVERYBODY = frozenset(ROLES)
ALL = EVERYBODY - {COUNTER}
COUNTERS = frozenset({COUNTER, OPERATOR, PLANNER, ADMINISTRATOR})
APPROVERS = frozenset({PLANNER, APPROVER, ADMINISTRATOR})
WORKERS = frozenset({OPERATOR, PLANNER, ADMINISTRATOR})
SOLVERS = frozenset({OPERATOR, PLANNER, APPROVER, ADMINISTRATOR})
PLANNERS = frozenset({PLANNER, ADMINISTRATOR})
ADMINISTRATORS = frozenset({ADMINISTRATOR})
DECIDERS = frozenset({APPROVER, ADMINISTRATOR})

READ_ONLY = ["lots", "stock", "movements", "publications"]
ALLOWED = {
    **{("GET", f"{address}/"): ALL for address in READ_ONLY},
    **{("GET", f"{address}/1/"): ALL for address in READ_ONLY},
    **{
        (method, path): who
        for address in ("items", "item-units", "categories", "locations")
        for method, path, who in (
            ("GET", f"{address}/", ALL),
            ("GET", f"{address}/1/", ALL),
            ("POST", f"{address}/", PLANNERS),
            ("PATCH", f"{address}/1/", PLANNERS),
        )
    },
    ("DELETE", "item-units/1/"): PLANNERS,
    ("PATCH", "lots/1/"): PLANNERS,
    ("GET", "items/1/availability/"): ALL,
    ("GET", "locations/tree/"): ALL,
    ("GET", "postings/"): ALL,
    ("GET", "postings/1/"): ALL,
    ("POST", "postings/1/reverse/"): PLANNERS,
    ("GET", "valuation/"): ALL,
    ("GET", "valuation/totals/"): ALL,
    ("GET", "stock-board/"): ALL,
    ("GET", "stock-as-of/"): ALL,
    ("GET", "stock-changes/compare/"): ALL,
    ("GET", "periods/"): ALL,
    ("GET", "periods/1/"): ALL,
    ("POST", "periods/"): ADMINISTRATORS,
    ("POST", "periods/1/reopen/"): ADMINISTRATORS,
    ("GET", "reservations/"): ALL,
    ("GET", "reservations/1/"): ALL,
    ("POST", "reservations/"): PLANNERS,
    ("POST", "reservations/release/"): PLANNERS,
    ("POST", "receipts/"): WORKERS,
    ("POST", "issues/"): WORKERS,
    ("POST", "transfers/"): WORKERS,
    ("POST", "scraps/"): WORKERS,
    ("POST", "status-changes/"): WORKERS,
    ("POST", "adjustments/"): PLANNERS,
    ("POST", "shipments/"): WORKERS,
    ("POST", "customer-returns/"): WORKERS,
    ("POST", "supplier-returns/"): WORKERS,
    ("POST", "lot-changes/"): PLANNERS,
    ("GET", "stock-transfers/"): ALL,
    ("GET", "stock-transfers/1/"): ALL,
    ("POST", "stock-transfers/"): WORKERS,
    ("POST", "stock-transfers/1/receive/"): WORKERS,
    ("POST", "stock-transfers/1/return/"): WORKERS,
    ("POST", "external-stock/"): PLANNERS,
    ("GET", "lots/1/genealogy/"): ALL,
    ("GET", "lots/recall/"): ALL,
    ("POST", "lots/quarantine/"): WORKERS,
    ("POST", "cost-corrections/"): ADMINISTRATORS,
    **{
        (method, path): who
        for address in ("suppliers", "supplier-items")
        for method, path, who in (
            ("GET", f"{address}/", ALL),
            ("GET", f"{address}/1/", ALL),
            ("POST", f"{address}/", PLANNERS),
            ("PATCH", f"{address}/1/", PLANNERS),
        )
    },
    ("DELETE", "supplier-items/1/"): PLANNERS,
    ("GET", "supplier-stock/"): ALL,
    ("GET", "supplier-stock/1/"): ALL,
    ("POST", "supplier-stock/"): PLANNERS,
    ("GET", "purchase-orders/"): ALL,
    ("GET", "purchase-orders/1/"): ALL,
    ("POST", "purchase-orders/"): PLANNERS,
    ("PUT", "purchase-orders/1/"): PLANNERS,
    ("POST", "purchase-orders/1/receive/"): WORKERS,
    **{
        ("POST", f"purchase-orders/1/{verb}/"): PLANNERS
        for verb in ("place", "close", "close-line", "cancel", "reopen")
    },
    ("GET", "landed-costs/"): ALL,
    ("GET", "landed-costs/1/"): ALL,
    ("POST", "landed-costs/"): PLANNERS,
    ("POST", "landed-costs/preview/"): PLANNERS,
    ("POST", "landed-costs/prices/"): PLANNERS,
    ("POST", "landed-costs/prices/preview/"): PLANNERS,
    ("GET", "boms/"): ALL,
    ("GET", "boms/1/"): ALL,
    ("GET", "boms/1/diff/"): ALL,
    ("GET", "boms/1/tree/"): ALL,
    ("GET", "boms/where-used/"): ALL,
    ("POST", "boms/"): PLANNERS,
    ("DELETE", "boms/1/"): PLANNERS,
    ("PUT", "boms/1/lines/"): PLANNERS,
    ("POST", "boms/1/activate/"): PLANNERS,
    ("POST", "boms/1/retire/"): PLANNERS,
    ("GET", "boms/1/content/"): ALL,
    ("PUT", "boms/1/content/"): PLANNERS,
    ("GET", "boms/1/cost/"): ALL,
    ("POST", "boms/replace/"): PLANNERS,
    ("POST", "boms/activate-replacement/"): PLANNERS,
    ("POST", "boms/discard-replacement/"): PLANNERS,
    ("GET", "bom-files/"): ALL,
    ("GET", "bom-files/1/"): ALL,
    ("GET", "bom-files/1/content/"): ALL,
    ("POST", "bom-files/"): PLANNERS,
    ("DELETE", "bom-files/1/"): PLANNERS,
    ("GET", "completions/"): ALL,
    ("GET", "completions/1/"): ALL,
    ("GET", "completions/1/true-cost/"): ALL,
    ("GET", "completions/variances/"): ALL,
    ("GET", "buildable/"): ALL,
    ("GET", "buildable/1/"): ALL,
    ("GET", "buildable/1/promise/"): ALL,
    ("GET", "buildable/1/gain/"): ALL,
    ("GET", "buildable/1/group/"): ALL,
    ("POST", "buildable/partition/"): ALL,
    ("GET", "learned-usage/"): ALL,
    ("POST", "completions/"): WORKERS,
    ("POST", "completions/preview/"): WORKERS,
    ("POST", "completions/batch/"): WORKERS,
    ("POST", "completions/batch/preview/"): WORKERS,
    ("POST", "completions/1/reverse/"): WORKERS,
    ("GET", "completions/1/reversal/"): WORKERS,
    ("GET", "disassemblies/"): ALL,
    ("GET", "disassemblies/1/"): ALL,
    ("POST", "disassemblies/"): WORKERS,
    ("POST", "disassemblies/preview/"): WORKERS,
    ("POST", "disassemblies/1/reverse/"): WORKERS,
    ("GET", "work-orders/"): ALL,
    ("GET", "work-orders/1/"): ALL,
    ("POST", "work-orders/"): PLANNERS,
    ("POST", "work-orders/1/close/"): PLANNERS,
    ("POST", "work-orders/1/reopen/"): PLANNERS,
    ("POST", "work-orders/1/plan/"): PLANNERS,
    ("GET", "rework-orders/"): ALL,
    ("GET", "rework-orders/1/"): ALL,
    ("POST", "rework-orders/"): WORKERS,
    ("POST", "rework-orders/1/record/"): WORKERS,
    ("POST", "rework-orders/1/undo/"): WORKERS,
    ("POST", "rework-orders/1/close/"): WORKERS,
    ("GET", "inspections/"): ALL,
    ("GET", "inspections/1/"): ALL,
    ("GET", "inspections/waiting/"): ALL,
    ("POST", "inspections/"): WORKERS,
    ("POST", "inspections/1/undo/"): WORKERS,
    ("POST", "inspections/1/reworked/"): WORKERS,
    ("GET", "inspection-plans/"): ALL,
    ("GET", "inspection-plans/1/"): ALL,
    ("POST", "inspection-plans/"): PLANNERS,
    ("DELETE", "inspection-plans/1/"): PLANNERS,
    ("GET", "exceptions/"): ALL,
    ("GET", "exceptions/1/"): ALL,
    ("POST", "exceptions/"): COUNTERS,
    ("POST", "exceptions/1/assign/"): PLANNERS,
    **{("POST", f"exceptions/1/{verb}/"): SOLVERS for verb in ("take", "snooze", "wake", "resolve", "reopen", "note")},
    **{
        ("POST", f"work-orders/1/{verb}/"): PLANNERS
        for verb in (
            "release",
            "reserve",
            "cancel",
            "dates",
            "split",
            "split-evenly",
            "merge",
            "newest-bom",
            "sub-orders",
        )
    },
    **{("POST", f"work-orders/1/{verb}/"): WORKERS for verb in ("issue", "return-components")},
    **{("GET", f"work-orders/1/{noun}/"): ALL for noun in ("bom-change", "components", "pick-list", "shortages")},
    ("GET", "work-orders/shortages/"): ALL,
    ("GET", "replenishment/"): ALL,
    ("POST", "replenishment/"): PLANNERS,
    ("GET", "demands/"): ALL,
    ("GET", "demands/1/"): ALL,
    ("POST", "demands/"): PLANNERS,
    ("POST", "demands/1/withdraw/"): PLANNERS,
    ("GET", "channels/"): ALL,
    ("GET", "channels/1/"): ALL,
    ("POST", "channels/1/pause/"): PLANNERS,
    ("POST", "channels/1/resume/"): PLANNERS,
    ("GET", "listings/"): ALL,
    ("GET", "listings/1/"): ALL,
    ("POST", "listings/"): PLANNERS,
    ("PATCH", "listings/1/"): PLANNERS,
    ("POST", "listings/1/retry/"): PLANNERS,
    ("GET", "simulations/"): ALL,
    ("GET", "simulations/1/"): ALL,
    ("POST", "simulations/"): APPROVERS,
    ("GET", "policies/"): ALL,
    ("GET", "policies/1/"): ALL,
    ("POST", "policies/"): PLANNERS,
    ("POST", "policies/preview/"): PLANNERS,
    ("GET", "listings/1/why/"): ALL,
    ("GET", "campaigns/"): ALL,
    ("GET", "campaigns/1/"): ALL,
    ("POST", "campaigns/"): PLANNERS,
    ("PATCH", "campaigns/1/"): PLANNERS,
    ("GET", "campaigns/1/effect/"): ALL,
    ("POST", "campaigns/1/preview/"): PLANNERS,
    ("POST", "campaigns/1/rules/"): PLANNERS,
    ("POST", "campaigns/1/rules/preview/"): PLANNERS,
    ("POST", "campaigns/1/take-out/"): PLANNERS,
    ("POST", "campaigns/1/end/"): PLANNERS,
    ("POST", "campaigns/1/approve/"): DECIDERS,
    ("POST", "campaigns/1/withdraw-approval/"): DECIDERS,
    ("GET", "publish-runs/"): ALL,
    ("GET", "publish-runs/1/"): ALL,
    ("POST", "publish-runs/1/approve/"): DECIDERS,
    ("POST", "publish-runs/1/refuse/"): DECIDERS,
    ("POST", "publish-runs/1/undo/"): DECIDERS,
    ("GET", "large-changes/"): ALL,
    ("GET", "large-changes/1/"): ALL,
    ("POST", "large-changes/1/approve/"): DECIDERS,
    ("POST", "large-changes/1/refuse/"): DECIDERS,
    ("POST", "large-changes/1/undo/"): DECIDERS,
    ("GET", "holds/"): ALL,
    ("GET", "holds/1/"): ALL,
    ("GET", "channels/1/latency/"): ALL,
    ("GET", "listings/1/oversell/"): ALL,
    ("GET", "buffer-advice/"): ALL,
    ("GET", "guard-settings/"): ALL,
    ("GET", "guard-settings/1/"): ALL,
    ("PATCH", "guard-settings/1/"): ADMINISTRATORS,
    ("POST", "channels/1/mode/"): ADMINISTRATORS,
    ("GET", "channels/1/automatic/"): ADMINISTRATORS,
    ("POST", "channels/1/look/"): ADMINISTRATORS,
    ("GET", "drift-settings/"): ALL,
    ("GET", "drift-settings/1/"): ALL,
    ("PATCH", "drift-settings/1/"): ADMINISTRATORS,
    ("GET", "channel-demand/"): ALL,
    ("GET", "channel-demand/1/"): ALL,
    ("GET", "differences/"): ALL,
    ("GET", "differences/1/"): ALL,
    ("POST", "differences/1/decide/"): PLANNERS,
    ("POST", "differences/decide/"): PLANNERS,
    ("GET", "freezes/"): ALL,
    ("GET", "freezes/1/"): ALL,
    ("POST", "freezes/"): APPROVERS,
    ("POST", "freezes/1/lift/"): APPROVERS,
    ("GET", "publishing/"): ALL,
    ("GET", "publishing/1/"): ALL,
    ("POST", "publishing/pause-all/"): PLANNERS,
    ("POST", "publishing/resume-all/"): PLANNERS,
    ("POST", "publishing/1/pace/"): ADMINISTRATORS,
    ("POST", "publishing/1/retry/"): PLANNERS,
    ("GET", "sending-windows/"): ALL,
    ("GET", "sending-windows/1/"): ALL,
    ("POST", "sending-windows/"): ADMINISTRATORS,
    ("DELETE", "sending-windows/1/"): ADMINISTRATORS,
    ("GET", "count-sheets/"): EVERYBODY,
    ("GET", "count-sheets/1/"): EVERYBODY,
    ("GET", "count-sheets/due/"): PLANNERS,
    ("GET", "count-sheets/accuracy/"): ALL,
    ("POST", "count-sheets/"): PLANNERS,
    ("POST", "count-sheets/1/scan/"): COUNTERS,
    ("POST", "count-sheets/1/count/"): COUNTERS,
    ("POST", "count-sheets/1/submit/"): COUNTERS,
    ("POST", "count-sheets/1/approve/"): APPROVERS,
    ("POST", "count-sheets/1/send-back/"): APPROVERS,
    ("POST", "count-sheets/1/cancel/"): PLANNERS,
    ("GET", "invariant-runs/"): PLANNERS,
    ("GET", "invariant-runs/1/"): PLANNERS,
    ("GET", "audit-entries/"): PLANNERS,
    ("GET", "schema/"): ALL,
}
PAGES = {"docs/"}
"""A page for people who have signed in; everybody else is sent to the sign-in page."""


def routes():
    """Every (method, path) of the API, ids as 1, with the view behind it."""
    found = {}
    for pattern in get_resolver("config.api_urls").url_patterns:
        for entry in getattr(pattern, "url_patterns", [pattern]):
            path = re.sub(r"\(\?P<id>[^)]*\)", "1", str(entry.pattern)).removeprefix("^").removesuffix("$")
            if entry.callback is api_urls.nothing_here:
                continue
            view = entry.callback
            actions = getattr(view, "actions", None)
            for method in [m.upper() for m in actions if m != "head"] if actions else ["GET"]:
                found[(method, path)] = view
    return found


def test_table_names_every_address_and_nothing_else():
    assert set(routes()) == set(ALLOWED) | {("GET", page) for page in PAGES}


def test_every_action_declares_its_permission():
    for (method, path), view in routes().items():
        if path in ("schema/", *PAGES):
            continue
        assert issubclass(view.cls, ViewSetMixin)
        action = view.actions[method.lower()]
        assert action in view.cls.endpoints, f"{method} {path} ({action}) declares no permission"
        assert view.cls.endpoints[action].permission


@pytest.mark.django_db
@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_do_what_the_table_says_and_nothing_else(role):
    caller = ApiClient(make_user(role=role))

    answers = {address: caller.send(address[0], address[1], {"x": 1}).status_code for address in ALLOWED}

    refused = {address for address, status in answers.items() if status == 403}
    assert refused == {address for address, who in ALLOWED.items() if role not in who}
    assert not {address: status for address, status in answers.items() if status >= 500}


@pytest.mark.django_db
def test_nobody_and_the_inactive_and_the_roleless_get_nothing(as_nobody):
    inactive = make_user(role=ADMINISTRATOR)
    gone = ApiClient(inactive)
    inactive.is_active = False
    inactive.save()
    roleless = ApiClient(make_user())

    for method, path in ALLOWED:
        assert as_nobody.send(method, path).status_code == 401, path
        assert gone.send(method, path).status_code == 401, path
        assert roleless.send(method, path).status_code == 403, path


@pytest.mark.django_db
def test_undeclared_action_is_refused_to_a_superuser_too(monkeypatch):
    caller = ApiClient(make_user(superuser=True))
    view = routes()[("GET", "items/")].cls
    assert caller.get("items/").status_code == 200
    monkeypatch.setattr(view, "endpoints", {})

    assert caller.get("items/").status_code == 403


@pytest.mark.django_db
def test_right_given_to_the_person_alone_counts():
    from django.contrib.auth.models import Permission

    user = make_user()
    user.user_permissions.add(Permission.objects.get(codename="view_item"))

    assert ApiClient(user).get("items/").status_code == 200
    assert ApiClient(user).get("lots/").status_code == 403


@pytest.mark.django_db
def test_page_sends_nobody_to_the_sign_in(client, viewer):
    assert client.get("/api/v1/docs/").status_code == 302

    client.force_login(viewer)

    assert client.get("/api/v1/docs/").status_code == 200


@pytest.mark.django_db
def test_session_of_a_page_may_read_but_not_post_without_csrf_token(administrator):
    from django.test import Client

    browser = Client(enforce_csrf_checks=True)
    browser.force_login(administrator)

    assert browser.get("/api/v1/items/").status_code == 200
    refused = browser.post("/api/v1/categories/", {"name": "X"}, content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (403, "FORBIDDEN")


def test_resources_are_all_routed():
    assert {prefix for prefix, *_ in api_urls.router.registry} == {path.split("/")[0] for _, path in ALLOWED} - {
        "schema"
    }
