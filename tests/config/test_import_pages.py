import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from inventory.importing.exporting import export_of
from inventory.importing.running import import_kinds
from inventory.models import Item, Posting
from tests.factories import make_item, make_location, make_user

pytestmark = pytest.mark.django_db

ITEMS = "SKU,Name\nWAX,Soy wax\nJAR,Glass jar\n"


def send(client, text, *, kind="items", name="items.csv", **fields):
    file = SimpleUploadedFile(name, text.encode() if isinstance(text, str) else text)
    return client.post(reverse("import_table", args=[kind]), {"file": file, **fields})


def test_lists_every_table_with_what_it_needs_and_how_many_rows_there_are(as_planner):
    make_item(sku="WAX")

    response = as_planner.get(reverse("imports"))

    rows = {row.kind.name: row for row in response.context["rows"]}
    assert set(rows) == {kind.name for kind in import_kinds()}
    assert (rows["items"].count, rows["items"].required) == (1, ["SKU"])
    page = response.content.decode()
    assert all(words in page for words in ("Items", "Bills of materials", "Opening stock", "Allocation rules"))
    assert reverse("import_table", args=["lots"]) in page
    assert f"{reverse('export_table', args=['lots'])}?as=xlsx" in page


def test_the_list_costs_the_same_with_1_and_with_20_rows(as_planner):
    def queries():
        with CaptureQueriesContext(connection) as seen:
            assert as_planner.get(reverse("imports")).status_code == 200
        return len(seen)

    make_item()
    queries()
    few = queries()
    for _ in range(19):
        make_item(), make_location()

    assert queries() == few


def test_who_may_only_look_takes_tables_out_and_brings_none_in(as_viewer):
    rows = as_viewer.get(reverse("imports")).context["rows"]

    assert rows
    assert not any(row.may_import for row in rows)
    assert as_viewer.get(reverse("export_table", args=["items"])).status_code == 200


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("campaigns", {"planner", "administrator"}),
        ("sending_windows", {"administrator"}),
        ("drift_settings", {"administrator"}),
    ],
)
def test_who_changes_channels_on_their_pages_changes_them_by_tables_and_everybody_else_looks(client, name, allowed):
    for role in ("viewer", "operator", "planner", "approver", "administrator"):
        client.force_login(make_user(role=role))

        answer = client.get(reverse("import_table", args=[name]))
        assert answer.status_code == (200 if role in allowed else 403), role
        assert client.get(reverse("export_table", args=[name])).status_code == 200, role


def test_who_counts_blind_takes_no_table_out(client):
    client.force_login(make_user(role="counter"))

    assert client.get(reverse("imports")).status_code == 403
    for kind in import_kinds():
        refused = 404 if export_of(kind) is None else 403
        assert client.get(reverse("export_table", args=[kind.name])).status_code == refused, kind.name


def test_a_table_is_exported_whole_from_its_page_and_from_the_list_of_the_set_up(as_planner):
    make_item(sku="0007", name="=1+1")

    led = as_planner.get(reverse("admin:inventory_item_take_out_csv"))
    answer = as_planner.get(led.url)

    assert led.url == "/import/items/export/?as=csv"
    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
    assert lines[1].startswith("0007,'=1+1,material,")
    assert len(lines) == 2
    assert as_planner.get("/import/items/export/?as=xlsx").headers["Content-Disposition"].endswith('.xlsx"')
    assert as_planner.get("/import/items/export/?as=pdf").status_code == 404
    assert as_planner.get("/import/shoes/export/").status_code == 404


@pytest.mark.parametrize(
    "name", ["inventory_item", "inventory_itemcategory", "inventory_location", "inventory_lot", "production_bom",
             "channels_sync_listing", "channels_sync_allocationpolicy"],
)  # fmt: skip
def test_every_list_of_the_set_up_leads_to_its_table(as_planner, name):
    page = as_planner.get(reverse(f"admin:{name}_changelist")).content.decode()

    assert reverse(f"admin:{name}_take_out_xlsx") in page
    assert as_planner.get(reverse(f"admin:{name}_take_out_xlsx")).url.endswith("/export/?as=xlsx")
    assert as_planner.get(reverse(f"admin:{name}_bring_in")).url.startswith("/import/")


@pytest.mark.parametrize("address", [("import_table", "items"), ("import_template", "items")])
def test_is_for_people_who_may_change_what_is_imported(as_viewer, address):
    name, *arguments = address

    assert as_viewer.get(reverse(name, args=arguments)).status_code == 403
    assert Client().get(reverse(name, args=arguments)).status_code == 302


def test_an_operator_imports_opening_stock_but_no_items(as_operator):
    rows = as_operator.get(reverse("imports")).context["rows"]
    assert [row.kind.name for row in rows if row.may_import] == [
        "opening_stock",
        "receipts",
        "transfers",
        "scraps",
        "issues",
        "shipments",
        "status_changes",
        "customer_returns",
        "supplier_returns",
        "completions",
    ]
    assert send(as_operator, ITEMS).status_code == 403
    assert not Item.objects.exists()


def test_a_check_shows_the_rows_and_writes_nothing(as_planner):
    response = send(as_planner, ITEMS, action="check")

    page = response.content.decode()
    assert response.status_code == 200
    assert "is in order. This is what importing it would do." in page
    assert "WAX" in page
    assert "Import as shown" in page
    assert not Item.objects.exists()


def test_imports_what_was_shown_in_the_name_of_the_person(as_planner, planner):
    seen = send(as_planner, ITEMS, action="check").context["report"]

    response = send(as_planner, ITEMS, action="import", expected=seen.fingerprint)

    assert response.url == reverse("import_table", args=["items"])
    assert Item.objects.count() == 2
    assert Item.objects.get(sku="WAX").history.get().history_user == planner


@pytest.mark.parametrize("expected", ["", "0" * 32])
def test_imports_nothing_that_was_not_shown(as_planner, expected):
    response = send(as_planner, ITEMS, action="import", expected=expected)

    assert "Nothing was imported" in response.content.decode()
    assert not Item.objects.exists()


def test_problems_are_listed_and_the_sound_rows_may_be_imported(as_planner):
    text = "SKU,Name,Kind\nA,One,gadget\nB,Two,material\n"
    response = send(as_planner, text, action="check")

    page = response.content.decode()
    assert "1 problem in items.csv. Nothing was written." in page
    assert "“gadget” is no kind of item" in page
    send(as_planner, text, action="clean", expected=response.context["report"].fingerprint)
    assert list(Item.objects.values_list("sku", flat=True)) == ["B"]


def test_htmx_gets_the_outcome_alone_so_that_the_chosen_file_stays(as_planner):
    file = SimpleUploadedFile("items.csv", ITEMS.encode())
    response = as_planner.post(
        reverse("import_table", args=["items"]),
        {"file": file, "action": "check"},
        headers={"HX-Request": "true", "HX-Target": "import-outcome"},
    )

    page = response.content.decode()
    assert 'type="file"' not in page
    assert 'name="expected"' in page


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "The submitted file is empty"),
        ("\x00\x01", "neither text nor a workbook"),
        ("Colour\nred\n", "has no column for: SKU"),
    ],
)
def test_a_file_that_is_no_table_is_refused_in_words(as_planner, text, words):
    response = send(as_planner, text, action="check")

    assert response.status_code == 422
    assert words in response.content.decode()


def test_opening_stock_goes_to_the_chosen_location(as_operator):
    make_item(sku="JAR"), make_location(code="SHELF")
    text = "SKU,Quantity\nJAR,12\n"
    seen = send(as_operator, text, kind="opening_stock", action="check", location="SHELF").context["report"]

    send(as_operator, text, kind="opening_stock", action="import", location="SHELF", expected=seen.fingerprint)

    assert Posting.objects.get().actor_id is not None


@pytest.mark.parametrize(("wanted", "starts"), [("csv", b"\xef\xbb\xbfSKU,Name"), ("xlsx", b"PK")])
def test_an_empty_table_with_the_right_titles_can_be_had(as_planner, wanted, starts):
    response = as_planner.get(reverse("import_template", args=["items"]), {"as": wanted})

    assert b"".join(response.streaming_content).startswith(starts)


def test_a_page_of_many_rows_costs_the_same_number_of_statements(client):
    client.force_login(make_user(role="planner"))
    counts = []
    for rows in (1, 1, 20):
        text = "SKU,Name\n" + "".join(f"N-{n},Name\n" for n in range(rows))
        with CaptureQueriesContext(connection) as queries:
            send(client, text, action="check")
        counts.append(len(queries))
    assert counts[1] == counts[2]
