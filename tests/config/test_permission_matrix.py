"""Who may open what: every named address with every role, against the table in permission_matrix.md.

An address that is not in the table fails, and so does one whose answer differs. A role is let in when the answer is anything
but 403 and 404. Each request is rolled back.
"""

from contextlib import contextmanager, nullcontext
from datetime import date
from decimal import Decimal
from pathlib import Path
from unittest.mock import patch
from uuid import uuid4

import pytest
from django.apps import apps
from django.contrib import admin
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.template.base import Template
from django.test import Client
from django.urls import NoReverseMatch, URLPattern, get_resolver, reverse
from django.utils import timezone

from channels_sync.models import (
    AllocationPolicy,
    Campaign,
    Channel,
    Difference,
    Freeze,
    Hold,
    Listing,
    ListingPush,
    PublishRun,
    SendingWindow,
    WideChange,
)
from channels_sync.operations.simulating import ask_simulation
from config.integrity.checking import run_check
from inventory.models import CountLine, ItemCategory, ItemKind, SupplierItem, SupplierStock
from inventory.operations.closing import close_period
from inventory.operations.counting import open_count_sheet, scan_count_line
from inventory.operations.exceptions import report_problem
from inventory.operations.receiving_orders import Arrival, Charge, receive_order
from inventory.operations.reserving import reserve_stock
from inventory.operations.saved_views import save_view
from inventory.operations.transit import DispatchLine, dispatch_transfer
from production.models import BomReplacement, BomState, Disposition
from production.operations.demands import make_for_demand
from production.operations.disassembling import disassemble
from production.operations.inspecting import Finding, Outcome, decide_inspection, open_inspection
from production.operations.inspection_files import attach_file
from production.operations.inspection_plans import CheckSpec, save_inspection_plan
from production.operations.reworking import rework
from production.operations.work_orders import open_work_order
from production.reads.held_goods import HeldQuestion, held_goods
from tests.channels_sync.simulation.selling import question
from tests.factories import lot_of, make_item, make_location, make_order, make_unit, make_user, put_on_hand
from tests.production.factories import complete, make_bom, open_rework_of, quarantined

TABLE = Path(__file__).with_name("permission_matrix.md")
ROLES = ("viewer", "counter", "operator", "planner", "approver", "administrator")
LEFT_OUT = {
    "admin:login": "open to all: the log-in itself",
    "admin:logout": "open to all: ends a session",
    "admin:view_on_site": "leads to pages that no object here has",
    "admin:autocomplete": "answers only to a field of a form, and asks for the right to see what it lists",
    "admin:app_list": "lists what the person may open, at one address for each app",
}
"""Named addresses that are no row of the table, and why."""
WITHOUT_OBJECTS = (
    "authtoken_tokenproxy",
    "django_celery_beat_solarschedule",
    "django_celery_beat_clockedschedule",
    "axes_accessattempt",
    "axes_accesslog",
    "inventory_costentry",
)
"""Tables of the admin of which the small company below has nothing, so that there is no object to open."""
LEFT_OUT |= {
    f"admin:{table}_{page}": "there is no such object in this test"
    for table in WITHOUT_OBJECTS
    for page in ("change", "delete", "history")
}
DRAWN = ("viewer", "administrator")
"""Whose pages are drawn: who is let in is decided before, and drawing for everybody would take most of the time."""
REFUSED = (403, 404)
API_METHODS = ("get", "post", "put", "patch", "delete")


def patterns(entries, names=()):
    """(full name, view) of every named address."""
    for entry in entries:
        if isinstance(entry, URLPattern):
            if entry.name:
                yield ":".join((*names, entry.name)), entry
        else:
            yield from patterns(entry.url_patterns, (*names, entry.namespace) if entry.namespace else names)


def rows():
    """Each row of the table by its words: (name, method), the method None for a page."""
    found = {}
    for name, entry in patterns(get_resolver().url_patterns):
        if name in LEFT_OUT:
            continue
        actions = getattr(entry.callback, "actions", None)
        if actions:
            for method in API_METHODS:
                if method in actions:
                    found[f"api {name} {method.upper()}"] = (name, method.upper())
        else:
            found[name] = (name, None)
    return found


ROWS = rows()


COUNT_PAGES = (
    "count_sheet",
    "count_next",
    "count_found",
    "submit_count_sheet",
    "approve_count",
    "cancel_count_sheet",
)
ORDER_PAGES = (
    *("work_order", "complete_order", "close_order", "reopen_order", "change_plan", "release_order", "reserve_order"),
    *("cancel_order", "reschedule_order", "split_order", "merge_orders", "newest_bom", "plan_sub_orders"),
    *("pick_order", "return_to_stock", "traveller"),
)
PROPOSAL_PAGES = ("learned_line", "accept_proposal", "dismiss_proposal")
BUYING_PAGES = (*tuple(f"{verb}_order" for verb in ("edit", "receive", "place", "close", "cancel", "reopen")), "order")
LOT_PAGES = ("inventory_lot_change", "inventory_lot_delete", "inventory_lot_history")
BOM_PAGES = (
    "bom",
    "edit_bom",
    "bom_cost",
    "bom_diff",
    "draft_bom",
    "activate_bom",
    "discard_bom",
    "add_bom_attachment",
)
REPLACEMENT_PAGES = ("replacement", "activate_replacement", "discard_replacement")
BOM_BUTTONS = tuple(f"production_bom_{verb}" for verb in ("draft", "activate", "discard", "retire"))


def alike(space, names, argument):
    return {f"{space}:{name}": [argument] for name in names}


def company():
    """One of everything; the arguments of addresses by their names."""
    site = make_location(code="SITE")
    bench = make_location(code="BENCH", parent=site)
    ItemCategory.objects.create(name="Candles")
    wax, candle = make_item(sku="WAX", tracking="lot"), make_item(sku="CANDLE", kind=ItemKind.PRODUCT)
    make_unit(item=wax, name="box", numerator="10")
    in_force = make_bom(item=candle, lines=[(wax, "2")])
    draft = make_bom(item=candle, lines=[(wax, "3")], state=BomState.DRAFT)
    attached = draft.attachments.create(name="drawing.pdf", file="boms/none.pdf", content_type="application/pdf")
    attached.file.save("drawing.pdf", ContentFile(b"%PDF-1.7"))
    replacement = BomReplacement.objects.create(component=wax, replacement=candle)
    received = put_on_hand(wax, bench, "100", value="50.00", lot="W1")
    completion = complete(candle, "1", into=site, source_location=bench).completion
    made = complete(candle, "1", into=site, source_location=bench).completion
    apart = disassemble(key=uuid4(), completion=made, quantity=Decimal(1), location=site, actor=None).disassembly
    (promise,) = reserve_stock(
        item=wax, location=bench, quantity=Decimal(1), demand_kind="order", demand_ref="1", actor=None, pinned=True
    ).reservations
    lot = lot_of(wax, "W1")
    lot.save()  # by hand, so that it has a history
    order = open_work_order(item=candle, planned=Decimal(5), output_location=site, source_location=bench, actor=None)
    demand = make_for_demand(
        demand_kind="order",
        demand_ref="SO-1",
        item=candle,
        quantity=Decimal(2),
        location=site,
        mode="always",
        actor=None,
    ).demand
    channel = Channel.objects.create(code="shop", name="Shop", base_url="https://shop.example")
    listing = Listing.objects.create(channel=channel, item=candle, external_sku="C")
    ListingPush.objects.create(listing=listing, channel=channel)
    hours = SendingWindow.objects.create(channel=channel, starts_at="22:00", ends_at="06:00")
    policy = AllocationPolicy.objects.create(channel=channel, item=candle, effective_from="2020-01-01T00:00:00Z")
    campaign = Campaign.objects.create(name="Market", starts_at="2020-01-01T00:00:00Z", ends_at="2099-01-01T00:00:00Z")
    promoted = AllocationPolicy.objects.create(
        campaign=campaign, item=candle, effective_from=campaign.starts_at, effective_to=campaign.ends_at
    )
    jar, road = make_item(sku="JAR"), make_location(code="OTHER-SITE")
    bought = make_order([(jar, "10", "5.00")], location=site)
    arrival = Arrival(bought.lines.get(), Decimal(4))
    arrived = receive_order(key=uuid4(), order=bought, arrivals=[arrival], charges=[Charge(Decimal(1))], actor=None)
    SupplierItem.objects.create(supplier=bought.supplier, item=jar)
    SupplierStock.objects.create(
        supplier_item=SupplierItem.objects.get(), quantity=Decimal(1), confirmed_at=timezone.now()
    )
    sent = dispatch_transfer(
        key=uuid4(), source=site, target=road, lines=[DispatchLine(jar, Decimal(1))], actor=None
    ).transfer
    period = close_period(through=date(2020, 12, 31), actor=None).period
    view = save_view(owner=make_user(), page="board", name="Low", query="flag=low", is_shared=False)
    check = run_check(cause="nightly")
    wide = WideChange.objects.create(cause="policy", parts=1)
    run = PublishRun.objects.create(channel=channel, cause="receipt", wide=wide)
    Hold.objects.create(run=run, listing=listing, after=9, derivation={}, recorded_at=timezone.now())
    Freeze.objects.create(listing=listing, reason="recalled", run=run)
    now = timezone.now()
    differing = Difference.objects.create(
        listing=listing, channel=channel, version=1, ours=9, theirs=4, cause="sold", first_seen_at=now, last_seen_at=now
    )
    tried = ask_simulation(key=uuid4(), question=question(), actor=None).simulation
    sheet = open_count_sheet(location=site, actor=None)
    line = scan_count_line(line=CountLine.objects.filter(sheet=sheet).first(), actor=None)
    judged, waiting = inspected(site)
    mended = make_item(sku="MENDED", tracking="lot")
    reworked = open_rework_of(mended, quarantined(mended, site), site)
    reworking = rework(key=uuid4(), order=reworked, good=Decimal(1), actor=None).reworking
    case = report_problem(key=uuid4(), title="Scale drifts", words="", actor=None)
    return {
        **alike("exceptions", ("exception", "act"), case.pk),
        "quality:inspect": [waiting.pk],
        "quality:inspection": [judged.inspection_id],
        "quality:undo": [judged.pk],
        "quality:back_from_rework": [judged.decisions.get(disposition="rework").pk],
        **alike("quality", ("rework", "record_rework", "close_rework"), reworked.number),
        "quality:undo_rework": [reworking.pk],
        "quality:file": [judged.inspection.files.get().pk],
        **alike("quality", ("plan", "end_plan"), judged.inspection.plan_id),
        "inventory:item": [wax.pk],
        "item_file": [wax.pk],
        "work_order_file": [order.number],
        "purchase_order_file": [bought.number],
        "run_file": [run.pk],
        "listing_file": [listing.pk],
        "inventory:item_by_code": ["WAX"],
        "inventory:posting": [received.pk],
        "inventory:undo_posting": [received.pk],
        "inventory:count_line": [line.pk],
        "inventory:scan_count_line": [line.pk],
        "inventory:explain_count_line": [line.pk],
        **alike("inventory", COUNT_PAGES, sheet.number),
        "inventory:lot": [lot.pk],
        "inventory:release_reservation": [promise.pk],
        "inventory:reopen_period": [period.pk],
        **alike("inventory", ("transfer_page", "receive_transfer", "bring_back"), sent.number),
        **alike("inventory", ("rename_view", "share_view", "delete_view"), view.pk),
        **alike("buying", BUYING_PAGES, bought.number),
        "buying:close_line": [bought.number, bought.lines.get().pk],
        "buying:prices": [arrived.posting.pk],
        "ledger_check_run": [check.pk],
        "production:completion": [completion.pk],
        "production:undo_completion": [completion.pk],
        **alike("production", ("disassembly", "undo_disassembly"), apart.pk),
        **alike("production", ORDER_PAGES, order.number),
        "production:withdraw_demand": [demand.pk],
        **alike("production", BOM_PAGES, draft.pk),
        "production:bom_attachment": [draft.pk, attached.pk],
        "production:remove_bom_attachment": [draft.pk, attached.pk],
        "production:retire_bom": [in_force.pk],
        **alike("production", REPLACEMENT_PAGES, replacement.pk),
        "production:buildable_item": [candle.pk],
        **{f"production:{name}": [in_force.pk, wax.pk] for name in PROPOSAL_PAGES},
        **alike("channels_sync", ("listing", "why", "retry", "oversell", "listing_demand"), listing.pk),
        "channels_sync:demand_days": [listing.item_id, "shop"],
        **alike("channels_sync", ("run", "approve_run", "refuse_run", "undo_run"), run.pk),
        **alike("channels_sync", ("large_change", "decide_large", "undo_large"), wide.pk),
        **alike(
            "channels_sync",
            ("channel", "pause", "resume", "change_mode", "go_automatic", "look", "guard", "channel_drift", "latency"),
            "shop",
        ),
        **alike("channels_sync", ("decide_difference",), differing.pk),
        **alike("channels_sync", ("sending", "change_pace", "retry_given_up"), "shop"),
        "channels_sync:remove_hours": [hours.pk],
        **alike("channels_sync", ("policy", "withdraw_policy"), policy.pk),
        **alike(
            "channels_sync",
            ("campaign", "campaign_outlook", "approve_campaign", "change_campaign", "end_campaign"),
            campaign.pk,
        ),
        "channels_sync:take_rule_out": [campaign.pk, promoted.pk],
        "channels_sync:sources": ["shop"],
        "admin:channels_sync_channel_choose_sources": [channel.pk],
        **alike("channels_sync", ("simulation", "repeat_simulation"), tried.pk),
        "import_table": ["items"],
        "import_template": ["items"],
        "export_table": ["items"],
        **alike("admin", BOM_BUTTONS, draft.pk),
        **alike("admin", LOT_PAGES, lot.pk),
        "admin:inventory_lot_simple_history": [lot.pk, lot.history.get().pk],
        "admin:channels_sync_allocationpolicy_new_version": [policy.pk],
    }


def inspected(site):
    """A verdict with a rework and a photo, and what of the goods waits on."""
    soap = make_item(sku="SOAP")
    plan = save_inspection_plan(item=soap, applies_to="receipt", checks=[CheckSpec("Dry")], actor=None).plan
    put_on_hand(soap, site, "5", status="qc_hold")
    (goods,) = held_goods(HeldQuestion(item_ids=[soap.pk]))
    photo = SimpleUploadedFile("photo.png", b"\x89PNG\r\n\x1a\n" + bytes(20))
    attach_file(inspection=open_inspection(handle=goods.pk, actor=None), upload=photo, actor=None)
    judged = decide_inspection(
        key=uuid4(),
        handle=goods.pk,
        outcomes=[
            Outcome(Disposition.RELEASE, Decimal(2)),
            Outcome(Disposition.REWORK, Decimal(1), "wet"),
        ],
        findings=[Finding(plan.checks.get().pk, is_ok=True)],
        actor=None,
    ).verdict
    return judged, goods


def address_of(name, known):
    """The address of a row; objects without an entry of their own by the first id of their table, else by 1."""
    if name in known:
        return reverse(name, args=known[name])
    try:
        return reverse(name)
    except NoReverseMatch:  # it has an argument
        model = model_of(name)
        pk = model._default_manager.values_list("pk", flat=True).order_by("-pk").first() if model else None
        if name.endswith("_simple_history"):
            entry = model.history.filter(id=pk).first()
            return reverse(name, args=[pk or 1, entry.history_id if entry else 1])
        return reverse(name, args=[pk or 1])


def model_of(name):
    """The model that an address of the admin is about."""
    for model in apps.get_models():
        if name.startswith(f"admin:{model._meta.app_label}_{model._meta.model_name}_"):
            return model
    return None


@contextmanager
def undrawn(frames):
    """Draw nothing. The frame with the menu is put together for the first page of each person, then kept in `frames`."""
    put_together = type(admin.site).each_context

    def frame(of, request):
        person = request.user.pk
        if person not in frames:
            frames[person] = put_together(of, request)
        return dict(frames[person])

    with (
        patch.object(Template, "_render", lambda _template, _context: ""),
        patch.object(type(admin.site), "each_context", frame),
    ):
        yield


def answer_of(client, name, method, address):
    with transaction.atomic():
        if method is None:
            answer = client.get(address)
            if answer.status_code == 405:
                answer = client.post(address, {"key": str(uuid4()), "page": "board"})
            status = answer.status_code
            if answer.headers.get("Location") == reverse("admin:index"):
                status = 403  # the admin finds no such object before it asks who may see it
        else:
            answer = client.generic(
                method, address, "{}", content_type="application/json", headers={"Idempotency-Key": str(uuid4())}
            )
            status = answer.status_code
            if status == 404 and answer.json()["code"] == "NOT_FOUND":
                status = 200  # let in; the object with this id is another one
        transaction.set_rollback(True)
    return status


def read_table():
    """Who is let in by row, as the file says."""
    table = {}
    for text in TABLE.read_text().splitlines():
        cells = [cell.strip() for cell in text.strip("|").split("|")]
        if not text.startswith("|") or cells[0] in ("address", "") or set(cells[0]) == {"-"}:
            continue
        table[cells[0]] = {role for role, cell in zip(ROLES, cells[1:], strict=True) if cell == "yes"}
    return table


def as_row(row, let_in):
    return f"| {row} | " + " | ".join("yes" if role in let_in else "–" for role in ROLES) + " |"


def test_the_table_names_every_address_and_nothing_else():
    assert sorted(set(ROWS) - set(read_table())) == [], "addresses that are not in permission_matrix.md"
    assert sorted(set(read_table()) - set(ROWS)) == [], "rows of permission_matrix.md without an address"


@pytest.mark.django_db
def test_each_role_is_let_in_where_the_table_says_so_and_nowhere_else(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    known = company()
    clients = {}
    for role in ROLES:
        clients[role] = Client()
        clients[role].force_login(make_user(role=role))
    addresses = {row: address_of(name, known) for row, (name, _) in ROWS.items()}

    found = {row: set() for row in ROWS}
    broken, frames = [], {}
    for row, (name, method) in ROWS.items():
        for role, client in clients.items():
            with nullcontext() if role in DRAWN else undrawn(frames):
                status = answer_of(client, name, method, addresses[row])
            if status not in REFUSED:
                found[row].add(role)
            if status >= 500:
                broken.append((row, role, status))

    table = read_table()
    assert broken == []
    assert len(frames) == len(ROLES) - len(DRAWN)
    different = [as_row(row, let_in) for row, let_in in found.items() if table.get(row) != let_in]
    assert different == [], "rows as they are:\n" + "\n".join(different)


ACCOUNT = ("admin:search", "admin:password_change", "admin:password_change_done", "admin:jsi18n")
"""What everybody has who signs in: finding the pages one may open, and changing the own password."""


REPORTING = ("exceptions:report", "api exceptions-list POST")


def test_who_counts_may_do_nothing_else():
    """The counter's column, in words: Today, the search for pages, counting, and saying that something is wrong."""
    let_in = {row for row, roles in read_table().items() if "counter" in roles}
    counting = {row for row in let_in if "count" in row}

    assert let_in - counting == {"today", "search", *ACCOUNT, *REPORTING}
    assert not {row for row in counting if row.startswith("admin:")}
    assert not any(
        word in row for row in counting for word in ("plan", "open", "accuracy", "approve", "cancel", "explain")
    )
