import io
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from inventory.models import Item, Posting
from production.models import Bom
from tests.factories import make_item, make_location, make_user, on_hand

pytestmark = pytest.mark.django_db


def run(*arguments):
    said = io.StringIO()
    call_command("import_table", *arguments, stdout=said, no_color=True)
    return said.getvalue().splitlines()


def test_checks_and_then_imports(tmp_path):
    file = tmp_path / "items.csv"
    file.write_text("SKU,Name,Colour\nWAX,Soy wax,white\n")

    seen = run("items", str(file), "--dry-run")
    nothing = Item.objects.count()
    done = run("items", str(file))

    assert nothing == 0
    assert seen == [
        "Columns not used: Colour",
        "row 2  new  WAX  Name Soy wax; Unit pcs",
        "1 new, 0 changed, 0 unchanged, 0 skipped, 0 refused",
        "Checked; nothing was written.",
    ]
    assert done == [*seen[:3], "Imported."]


def test_a_parts_list_and_stock_with_their_choices(tmp_path):
    make_location(code="SHELF")
    boms, stock = tmp_path / "list.csv", tmp_path / "stock.csv"
    boms.write_text("Item,Qty\nWAX,190 g\n")
    stock.write_text("SKU,Quantity\nWAX,500\n")
    user = make_user(username="planner-1", role="planner")

    run("boms", str(boms), "--product", "CANDLE", "--user", "planner-1", "--drafts")
    run("opening_stock", str(stock), "--location", "shelf", "--user", "planner-1")

    assert (Bom.objects.get().state, Bom.objects.get().created_by) == ("draft", user)
    assert on_hand(Item.objects.get(sku="WAX")) == Decimal(500)
    assert Posting.objects.get().actor_id == user.pk


def test_problems_end_with_an_error_and_write_nothing_unless_clean_rows_are_wanted(tmp_path):
    file = tmp_path / "items.csv"
    file.write_text("SKU,Name,Kind\nA,One,gadget\nB,Two,\n")

    with pytest.raises(CommandError, match=r"1 problems. Nothing was imported."):
        run("items", str(file))
    nothing = Item.objects.count()
    with pytest.raises(CommandError, match=r"1 problems. The rest was imported."):
        run("items", str(file), "--clean-rows-only")

    assert nothing == 0
    assert Item.objects.get().sku == "B"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["things", "{file}"],
            "There is no import of 'things'. There is: items, boms, opening_stock, receipts, transfers, adjustments, scraps.",
        ),
        (["items", "{file}.missing"], "cannot be read"),
        (["items", "{file}", "--user", "nobody"], "There is no user nobody"),
        (["opening_stock", "{file}", "--location", "ATTIC"], "There is no location ATTIC"),
        (["boms", "{file}"], "has no column for: Quantity"),
    ],
)
def test_says_what_is_wrong_with_the_call(tmp_path, arguments, words):
    make_item(sku="A")
    file = tmp_path / "items.csv"
    file.write_text("SKU,Name\nA,One\n")

    with pytest.raises(CommandError, match=words.replace(".", r"\.").replace("'", "'")):
        run(*[argument.format(file=file) for argument in arguments])
