"""What is exported and imported again changes nothing, for every kind there is. A kind without an export says why."""

import csv
import io

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from openpyxl import load_workbook

from inventory.importing.exporting import export_of, header_of, reason_without
from inventory.importing.headers import count_known, find_columns
from inventory.importing.reports import Outcome
from inventory.importing.running import Mode, import_kinds, kind_named, run_import
from inventory.importing.tables import clean, protect, read_table, unquoted
from inventory.models import ItemCategory
from inventory.web import csv_lines, workbook
from tests.config.awkward import CODES, TEXTS, fill, make_channels
from tests.conftest import broken_invariants
from tests.factories import make_item

pytestmark = pytest.mark.django_db

KINDS = [kind.name for kind in import_kinds()]
EXPORTED = [kind.name for kind in import_kinds() if export_of(kind)]


def csv_of(name):
    kind = kind_named(name)
    export = export_of(kind)
    return "".join(csv_lines(header_of(kind, export), export.rows())).encode()


def xlsx_of(name):
    kind = kind_named(name)
    export = export_of(kind)
    return workbook(kind.title, header_of(kind, export), export.rows()).getvalue()


def bring(name, content, mode=Mode.CHECK):
    return run_import(kind=kind_named(name), content=content, file_name=f"{name}.table", actor=None, mode=mode)


def told(report):
    return [str(problem) for problem in report.problems], [
        (result.label, str(result.outcome), [(c.field, c.old, c.new) for c in result.changes])
        for result in report.results
        if result.outcome != Outcome.UNCHANGED
    ]


@pytest.fixture
def book():
    fill(make_channels())


@pytest.mark.parametrize("name", KINDS)
def test_every_import_has_an_export_or_says_why_not(name):
    kind = kind_named(name)

    assert (export_of(kind) is None) == bool(reason_without(kind))


@pytest.mark.parametrize("name", EXPORTED)
@pytest.mark.parametrize("written", [csv_of, xlsx_of], ids=["csv", "xlsx"])
def test_what_was_exported_is_all_unchanged_when_it_is_imported(book, name, written):
    report = bring(name, written(name))

    assert told(report) == ([], [])
    assert report.unused_columns == ()
    assert len(report.results) == export_of(kind_named(name)).count() > 0


@pytest.mark.parametrize("name", EXPORTED)
def test_titles_of_an_export_are_those_its_import_knows(name):
    kind = kind_named(name)
    export = export_of(kind)
    header = header_of(kind, export)
    table = read_table(
        content=(";".join(header) + "\n" + ";".join("x" for _ in header)).encode(),
        name="titles.csv",
        knows=lambda titles: count_known(titles, kind.fields),
    )

    found = find_columns(table, kind.fields).found

    assert {name: header[column] for name, column in found.items()} == dict(zip(export.columns, header, strict=True))


def test_a_whole_company_moves_by_its_files_and_importing_them_again_changes_nothing():
    """Everything is exported, imported into an empty book kind by kind, exported again: the same files."""
    channels = make_channels()
    with transaction.atomic():
        fill(channels)
        files = {name: csv_of(name) for name in EXPORTED}
        transaction.set_rollback(True)

    made = {name: bring(name, content, Mode.ALL) for name, content in files.items()}
    again = {name: bring(name, content, Mode.ALL) for name, content in files.items()}
    after = {name: csv_of(name) for name in EXPORTED}

    assert {name: [str(one) for one in report.problems] for name, report in made.items() if report.problems} == {}
    assert all(report.is_applied for report in made.values())
    assert {name: told(report) for name, report in again.items()} == dict.fromkeys(files, ([], []))
    for name in EXPORTED:
        assert rows(after[name]) == rows(files[name]), name
    assert broken_invariants() == []


def test_categories_and_units_that_differ_only_in_capitals_stay_as_they_are():
    """An import would spell them otherwise, so it must see that they are meant."""
    upper, lower = ItemCategory.objects.create(name="WAX"), ItemCategory.objects.create(name="wax")
    make_item(category=upper, unit="KG", step="0.5")
    make_item(category=lower, unit="pieces")

    assert [told(bring(name, csv_of(name))) for name in ("categories", "items")] == [([], [])] * 2


def rows(content):
    return sorted(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


@pytest.mark.parametrize("text", [*TEXTS.values(), *CODES.values(), "'", "''-x", "'#N/A", "", "a'b", "\t=x"])
def test_a_protected_cell_is_no_formula_and_reads_back_as_it_was(text):
    written = protect(text)

    assert written[:1] not in ("=", "+", "-", "@", "\t", "\r")
    assert unquoted(clean(written)) == text.replace("\r\n", "\n").replace("\u00a0", " ").strip()


def test_a_workbook_holds_texts_and_numbers_and_no_formula(book):
    sheet = load_workbook(io.BytesIO(xlsx_of("items"))).active

    types = {cell.data_type for row in sheet.iter_rows(min_row=2) for cell in row if cell.value is not None}
    assert types == {"s", "n"}
    assert "'=1+1" in [row[0].value for row in sheet.iter_rows(min_row=2)]


def test_the_command_writes_a_file_that_import_table_reads_back(book, tmp_path, capsys):
    for name in ("items.csv", "items.xlsx"):
        call_command("export_table", "items", str(tmp_path / name))
        call_command("import_table", "items", str(tmp_path / name), "--dry-run")

    said = capsys.readouterr().out
    assert f"{len(CODES) + 6} rows written" in said
    assert said.count(f"0 new, 0 changed, {len(CODES) + 6} unchanged, 0 skipped, 0 refused") == 2


def test_the_command_writes_to_where_it_is_piped(book, capsys):
    call_command("export_table", "count_classes", "-")

    assert capsys.readouterr().out.lstrip("\ufeff").splitlines()[0].startswith("Class,Counts a year")


def test_the_command_refuses_an_unknown_kind_and_an_unknown_form(tmp_path):
    with pytest.raises(CommandError, match="There is no import of 'shoes'"):
        call_command("export_table", "shoes", str(tmp_path / "x.csv"))
    with pytest.raises(CommandError, match=r"End the name with \.csv or \.xlsx"):
        call_command("export_table", "items", str(tmp_path / "x.pdf"))
