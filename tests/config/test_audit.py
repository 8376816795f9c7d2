"""Who changed what: readable differences, filters, pages that neither repeat nor skip, and a fixed number of queries."""

from datetime import date
from decimal import Decimal
from uuid import uuid4

import pytest
import time_machine
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from channels_sync.credentials import Secrets
from channels_sync.models import AllocationPolicy
from channels_sync.operations.allocating import set_policy
from channels_sync.operations.controlling import set_credentials
from config.audit.reading import LOG, SYSTEM, Cursor, Question, read_page
from config.audit.sources import sources
from config.audit.wording import entries
from inventory.models import CountClass, ItemCategory, ItemUnit
from inventory.operations.issuing import issue_stock
from production.bom_checks import BomLineSpec
from production.models import BomLine
from production.operations.boms import activate_bom, create_draft, discard_draft, replace_lines
from tests.channels_sync.factories import make_channel, make_listing
from tests.factories import make_item, make_location, make_user, put_on_hand

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_told_yet(db):
    """The history of the first classes of counts begins with the tables."""
    CountClass.history.all().delete()


def told(**question):
    """(kind, label, verb, [(what, old, new)]) of each entry, newest first."""
    return [
        (one.kind_title, one.label, one.verb, [(d.what, d.old, d.new) for d in one.differences])
        for one in entries(read_page(Question(**question), rows_max=200))
    ]


def test_a_change_is_told_as_what_became_what():
    item = make_item(sku="WAX", step="1")
    item.step, item.is_active, item.tracking = Decimal("0.5"), False, "lot"
    item.save()

    newest, made = told()

    assert newest == (
        "Item",
        "WAX",
        "changed",
        [("Is active", "yes", "no"), ("Step", "1", "0.5"), ("Tracking", "Not tracked", "By lot")],
    )
    assert made[:3] == ("Item", "WAX", "made")
    assert ("SKU", "", "WAX") in made[3]
    assert "Step" not in [what for what, _, _ in made[3]]


def test_references_are_told_by_their_names_also_when_they_are_gone():
    old, new = ItemCategory.objects.create(name="Wax"), ItemCategory.objects.create(name="Soy wax")
    item = make_item(sku="WAX", category=old)
    item.category = new
    item.save()
    old.delete()

    changes = told(thing=("inventory.item", item.pk))

    assert changes[0] == ("Item", "WAX", "changed", [("Category", "Wax", "Soy wax")])


def test_lines_of_a_bom_are_told_together_as_added_changed_and_removed(planner):
    wax, jar, lid, candle = (make_item(sku=sku) for sku in ("WAX", "JAR", "LID", "CANDLE"))
    draft = create_draft(item=candle, lines=[line(wax, 2), line(jar, 1)], actor=planner)
    replace_lines(bom=draft, lines=[line(wax, 3), line(lid, 1)], actor=planner)

    found = [one for one in entries(read_page(Question(), rows_max=200)) if one.kind == "production.bomline"]

    said = [(one.label, one.kind_title, one.person_id) for one in found]
    assert said == [("CANDLE v1", "BOM lines", planner.pk)] * 2
    assert [[(d.what, d.old, d.new) for d in one.differences] for one in found] == [
        [("", "", "1 LID"), ("WAX: quantity", "2", "3"), ("", "1 JAR", "")],
        [("", "", "1 JAR"), ("", "", "2 WAX")],
    ]


def test_a_draft_that_is_saved_as_it_was_leaves_no_change_of_its_lines(planner):
    wax, candle = make_item(sku="WAX"), make_item(sku="CANDLE")
    draft = create_draft(item=candle, lines=[line(wax, 2)], actor=planner)
    before = list(BomLine.history.values_list("id", "history_id"))

    replace_lines(bom=draft, lines=[line(wax, 2)], actor=planner)

    assert list(BomLine.history.values_list("id", "history_id")) == before
    assert [stored.pk for stored in draft.lines.all()] == [before[0][0]]


def line(component, quantity):
    return BomLineSpec(component=component, quantity=Decimal(quantity))


def test_a_discarded_draft_keeps_its_name_and_has_no_link(planner):
    draft = create_draft(item=make_item(sku="CANDLE"), lines=[line(make_item(sku="WAX"), 2)], actor=planner)
    discard_draft(bom=draft, actor=planner)

    found = [one for one in entries(read_page(Question(), rows_max=200)) if one.kind.startswith("production.")]

    assert {(one.label, one.url, one.person_id) for one in found} == {("CANDLE v1", "", planner.pk)}
    assert (found[0].kind_title, found[0].verb) == ("BOM", "removed")
    assert [(d.old, d.new) for d in found[1].differences] == [("2 WAX", "")]


def test_a_rule_a_listing_and_a_class_of_counts_are_told(planner):
    channel = make_channel(name="Shop")
    listing = make_listing(channel=channel, item=make_item(sku="CANDLE", is_sellable=True))
    policy = set_policy(channel=channel, percent=Decimal(50), actor=planner)
    set_policy(channel=channel, percent=Decimal(40), actor=planner)
    a = CountClass.objects.get(group="A")
    a.save()
    a.tolerance_percent = Decimal("1.5")
    a.save()
    listing.pack_size = Decimal(6)
    listing.save()

    changes = told()

    assert changes[0] == ("Listing", "CANDLE on Shop", "changed", [("Pack size", "1", "6")])
    assert changes[1] == ("Count class", "A", "changed", [("Tolerance percent", "1", "1.5")])
    assert changes[2] == ("Count class", "A", "changed", [])
    assert (changes[3][:3], changes[4][:3]) == (
        ("Allocation policy", "Shop v2", "made"),
        ("Allocation policy", "Shop v1", "changed"),
    )
    assert [what for what, _, _ in changes[4][3]] == ["Effective to"]
    assert AllocationPolicy.history.filter(id=policy.pk).latest().history_user == planner


def test_secrets_are_in_no_history_and_replacing_them_is_told(planner):
    channel = make_channel()
    set_credentials(channel=channel, secrets=Secrets(access_token="shpat_very_secret"), actor=planner)

    [newest, *_] = entries(read_page(Question(), rows_max=10))

    assert (newest.kind_title, newest.reason, newest.differences) == ("Channel", "credentials replaced", [])
    assert newest.person_id == planner.pk
    shown = str(told())
    assert "secret" not in shown
    names = {field.name for source in sources().values() for field in source.history._meta.fields}
    assert not {name for name in names if any(word in name for word in ("credential", "secret", "token", "password"))}


def test_sites_a_channel_sells_from_are_told_by_their_codes():
    site, other = make_location(code="EAST"), make_location(code="WEST")
    channel = make_channel(name="Shop", sources=[site])
    channel.source_locations.add(other)

    [newest, *_] = told(kind="channels_sync.channel")

    assert newest == ("Channel", "Shop", "changed", [("Source locations", "EAST", "EAST, WEST")])


def test_people_and_roles_come_from_the_log_of_the_admin(client, administrator):
    client.force_login(make_user(superuser=True))
    group = Group.objects.get(name="viewer")
    client.post(
        reverse("admin:auth_user_change", args=[administrator.pk]),
        {"username": administrator.username, "is_active": "on", "is_staff": "on", "groups": [group.pk],
         "date_joined_0": "2026-01-01", "date_joined_1": "10:00:00"},
    )  # fmt: skip

    [entry, *_] = entries(read_page(Question(kind=LOG), rows_max=10))

    assert (entry.kind_title, entry.label, entry.verb) == ("User", administrator.username, "changed")
    assert "Groups" in entry.reason
    assert "correct horse" not in entry.reason


# --- Filters ----------------------------------------------------------------------------------------------------------


def test_an_item_brings_what_belongs_to_it(planner):
    wax, candle = make_item(sku="WAX"), make_item(sku="CANDLE", tracking="lot", is_sellable=True)
    ItemUnit.objects.create(item=candle, name="box", numerator=6)
    create_draft(item=candle, lines=[line(wax, 2)], actor=planner)
    listing = make_listing(channel=make_channel(name="Shop"), item=candle)
    set_policy(listing=listing, percent=Decimal(50), actor=planner)

    kinds = [(kind, label) for kind, label, _, _ in told(thing=("inventory.item", candle.pk))]

    assert kinds == [
        ("Allocation policy", "Listing CANDLE v1"),
        ("Listing", "CANDLE on Shop"),
        ("BOM lines", "CANDLE v1"),
        ("BOM", "CANDLE v1"),
        ("Item unit", "box of CANDLE"),
        ("Item", "CANDLE"),
    ]
    assert [kind for kind, *_ in told(thing=("inventory.item", wax.pk))] == ["Item"]


def test_a_person_a_day_and_a_kind_narrow_the_list(as_planner, planner):
    with time_machine.travel("2026-03-01 12:00", tick=False):
        make_item(sku="OLD")
    with time_machine.travel("2026-03-02 12:00", tick=False):
        create_draft(item=make_item(sku="NEW"), lines=[], actor=planner)

    def seen(**query):
        return [one.label for one in as_planner.get(reverse("audit"), query).context["entries"]]

    assert sorted(seen()) == ["NEW", "NEW v1", "OLD"]
    assert seen(person=planner.pk) == ["NEW v1"]
    assert seen(person=SYSTEM) == ["NEW", "OLD"]
    assert seen(since="2026-03-02", kind="inventory.item") == ["NEW"]
    assert seen(until="2026-03-01") == ["OLD"]
    assert seen(since="2026-03-01", until="2026-03-01") == ["OLD"]
    assert seen(q="old") == ["OLD"]
    assert seen(q="nothing like it") == []
    assert seen(kind="no.kind", since="when?", person="x") == seen()


def test_a_place_and_a_channel_are_found_by_their_code(as_planner):
    make_location(code="EAST")
    make_channel(code="shop-x", name="Shop")

    assert [one.label for one in as_planner.get(reverse("audit"), {"q": "east"}).context["entries"]] == ["EAST"]
    assert {one.label for one in as_planner.get(reverse("audit"), {"q": "shop-x"}).context["entries"]} == {"Shop"}


# --- Pages ------------------------------------------------------------------------------------------------------------


def test_pages_neither_repeat_nor_skip_also_within_one_moment():
    """All rows of a kind stand at one moment, so only kind and id tell them apart."""
    with time_machine.travel("2026-03-01 12:00", tick=False):
        for _ in range(4):
            make_item()
            make_location()
            ItemCategory.objects.create(name="C", parent=ItemCategory.objects.create(name=str(_)))
    whole = [row.cursor for row in read_page(Question(), rows_max=100).rows]

    forwards, cursor = [], None
    while True:
        page = read_page(Question(older_than=cursor), rows_max=3)
        forwards.append([row.cursor for row in page.rows])
        cursor = page.rows[-1].cursor
        if not page.has_more:
            break
    backwards = read_page(Question(newer_than=forwards[2][0]), rows_max=3)

    assert len(whole) == 16
    assert [one for page in forwards for one in page] == whole
    assert [row.cursor for row in backwards.rows] == forwards[1]
    assert backwards.has_more
    assert not read_page(Question(newer_than=forwards[1][0]), rows_max=3).has_more


def test_the_page_leads_to_older_and_back_to_newer_rows(as_planner, monkeypatch):
    monkeypatch.setattr("config.audit.views.ROWS_PER_PAGE", 2)
    skus = [make_item().sku for _ in range(5)][::-1]

    first = as_planner.get(reverse("audit")).context
    second = as_planner.get(reverse("audit"), {"older": first["older"]}).context
    third = as_planner.get(reverse("audit"), {"older": second["older"]}).context
    back = as_planner.get(reverse("audit"), {"newer": third["newer"]}).context

    assert [one.label for page in (first, second, third) for one in page["entries"]] == skus
    assert [one.label for one in back["entries"]] == skus[2:4]
    assert (first["newer"], third["older"]) == (None, None)


def test_a_cursor_survives_its_own_text_and_others_are_none():
    row = read_page(Question(thing=("inventory.item", make_item().pk)), rows_max=1).rows[0]

    assert Cursor.read(str(row.cursor)) == row.cursor
    assert [Cursor.read(text) for text in ("", "1-x-1", "x-inventory.item-1", "1-inventory.item-1;")] == [None] * 4


def everything_once(planner):
    item = make_item(category=ItemCategory.objects.create(name=make_item().sku), is_sellable=True, tracking="lot")
    put_on_hand(item, make_location(), "1", lot="L", value="1")
    ItemUnit.objects.create(item=item, name="box", numerator=6)
    bom = create_draft(item=item, lines=[line(make_item(), 2)], actor=planner)
    activate_bom(bom=bom, effective_from=date(2026, 1, 1), actor=planner)
    listing = make_listing(channel=make_channel(sources=[make_location()]), item=item)
    set_policy(listing=listing, percent=Decimal(50), actor=planner)


def test_the_list_costs_the_same_with_1_and_with_20_of_everything(as_planner, planner):
    def queries(**query):
        with CaptureQueriesContext(connection) as seen:
            assert as_planner.get(reverse("audit"), query).status_code == 200
        return len(seen)

    everything_once(planner)
    queries()
    few = queries()
    for _ in range(19):
        everything_once(planner)

    assert queries() == few


def test_reading_takes_five_queries(planner, django_assert_num_queries):
    everything_once(planner)

    LogEntry.objects.create(
        user=planner,
        content_type=ContentType.objects.get_for_model(User),
        object_id=planner.pk,
        object_repr="x",
        action_flag=CHANGE,
    )

    with django_assert_num_queries(5):  # keys, rows, log, names, people
        read_page(Question(), rows_max=100)


def test_the_page_is_for_planners_and_administrators(as_viewer, as_operator, as_planner):
    assert as_viewer.get(reverse("audit")).status_code == 403
    assert as_operator.get(reverse("audit")).status_code == 403
    assert as_planner.get(reverse("audit")).status_code == 200


def test_an_item_has_its_history_as_a_tab_for_those_who_may_read_it(as_planner, as_viewer):
    item = make_item(sku="WAX")
    address = reverse("inventory:item", args=[item.pk])

    assert "manage_history" in as_planner.get(address).content.decode()
    page = as_planner.get(address, {"tab": "history"}).content.decode()
    assert f"/audit/?of=inventory.item:{item.pk}" in page
    assert [tab.key for tab in as_viewer.get(address).context["tabs"] if tab.key == "history"] == []


def test_what_a_person_posted_is_one_click_from_what_the_person_changed(as_planner, planner, operator):
    place, mine = make_location(), make_item(sku="MINE")
    put_on_hand(mine, place, "2")
    issue_stock(key=uuid4(), item=mine, location=place, quantity=Decimal(1), effective_at=None, actor=planner)

    address = as_planner.get(reverse("audit"), {"person": planner.pk}).context["posted_url"]

    assert address == f"/stock/ledger/?person={planner.pk}"
    page = as_planner.get(address).context
    assert [(row.movement.item.sku, row.movement.quantity) for row in page["rows"]] == [("MINE", Decimal(-1))]
    assert [chip.label for chip in page["chips"]] == [f"By {planner.username}"]
    assert as_planner.get(f"/stock/ledger/?person={operator.pk}").context["rows"] == ()


def test_the_history_of_a_location_in_the_set_up_is_the_audit_of_it(as_planner, as_viewer):
    place = make_location(code="EAST")
    make_location(code="WEST")
    address = reverse("admin:inventory_location_history", args=[place.pk])

    answer = as_planner.get(address)

    assert answer.url == f"/audit/?of=inventory.location:{place.pk}"
    page = as_planner.get(answer.url).context
    assert [one.label for one in page["entries"]] == ["EAST"]
    assert [chip.label for chip in page["chips"]] == ["Location EAST"]
    assert as_viewer.get(address).status_code == 200


def test_the_page_is_exported_whole_a_row_for_each_field(client, administrator, monkeypatch):
    monkeypatch.setattr("config.audit.views.ROWS_PER_READING", 1)
    item = make_item(sku="WAX", step="1")
    item.step, item.is_active = Decimal("0.5"), False
    item._history_user = administrator
    item.save()
    client.force_login(administrator)

    answer = client.get(reverse("audit"), {"export": "csv", "kind": "inventory.item"})
    head, *rows = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()

    assert head == "When,Who,Kind,What,How,Reason,Field,Before,After"
    assert [row.split(",")[2:] for row in rows[:2]] == [
        ["Item", "WAX", "changed", "", "Is active", "yes", "no"],
        ["Item", "WAX", "changed", "", "Step", "1", "0.5"],
    ]
    assert [row.split(",")[4] for row in rows[2:]] == ["made"] * len(rows[2:])
    assert "SKU,,WAX" in "\n".join(rows)
