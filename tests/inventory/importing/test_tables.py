import io
import zipfile

import pytest
from openpyxl import Workbook

from inventory.importing import tables
from inventory.importing.errors import TableTooLarge, UnreadableTable
from inventory.importing.headers import Field, count_known, find_columns, normal_title
from inventory.importing.tables import NO_RESULT, read_table

FIELDS = (
    Field("sku", "SKU", ("sku", "item code"), is_required=True),
    Field("quantity", "Quantity", ("quantity", "qty"), is_required=True),
    Field("note", "Note", ("note",)),
)


def read(content, name="parts.csv", **options):
    content = content.encode() if isinstance(content, str) else content
    return read_table(content=content, name=name, knows=lambda titles: count_known(titles, FIELDS), **options)


def cells(table):
    return [(row.number, *row.cells) for row in table.rows]


def workbook(*rows, before=()):
    book = Workbook()
    sheet = book.active
    for row in (*before, *rows):
        sheet.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_finds_the_separator(delimiter):
    text = "\n".join(delimiter.join(row) for row in (("SKU", "Qty", "Note"), ("A", "1,5", "x, y; z"), ("B", "2", "")))
    text = (
        text
        if delimiter not in ",;"
        else f'SKU{delimiter}Qty{delimiter}Note\nA{delimiter}"1,5"{delimiter}"x, y; z"\nB{delimiter}2{delimiter}\n'
    )

    assert cells(read(text)) == [(2, "A", "1,5", "x, y; z"), (3, "B", "2", "")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_reads_the_usual_encodings(encoding):
    assert cells(read("SKU,Qty\nØ41 müßig,2\n".encode(encoding))) == [(2, "Ø41 müßig", "2")]


def test_titles_may_stand_below_other_rows_and_rows_keep_their_numbers():
    table = read("Parts list,,\nof 2026,,\n\nSKU,Qty,Note\n\nA,1,\n")

    assert table.header_row == 4
    assert table.titles == ("SKU", "Qty", "Note")
    assert cells(table) == [(6, "A", "1", "")]


def test_a_separator_line_of_a_spreadsheet_program_is_heeded():
    assert cells(read("sep=;\nSKU;Qty\nA;1,5\n")) == [(3, "A", "1,5")]


def test_numbers_and_dates_of_a_workbook_read_as_a_person_would_type_them():
    from datetime import date

    table = read(
        workbook(["SKU", "Qty", "Note"], ["A", 0.1 + 0.2, date(2026, 11, 23)], ["B", 2741.7250000000004, True])
    )

    assert cells(table) == [(2, "A", "0.3", "2026-11-23"), (3, "B", "2741.725", "yes")]


def test_a_formula_gives_its_stored_result_and_is_marked_without_one():
    plain = workbook(["SKU", "Qty"], ["A", "=1+1"])
    stored = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(plain)) as source, zipfile.ZipFile(stored, "w") as target:
        for entry in source.infolist():
            text = source.read(entry).replace(b"<f>1+1</f><v></v>", b"<f>1+1</f><v>2</v>")
            text = text.replace(b"<f>1+1</f><v />", b"<f>1+1</f><v>2</v>").replace(
                b"<f>1+1</f><v/>", b"<f>1+1</f><v>2</v>"
            )
            target.writestr(entry, text)

    assert cells(read(plain)) == [(2, "A", NO_RESULT)]
    assert cells(read(stored.getvalue())) == [(2, "A", "2")]


def test_a_leading_quote_that_guards_a_formula_is_taken_off():
    assert cells(read("SKU,Qty,Note\n'=A1,1,'-5 °C\n")) == [(2, "=A1", "1", "-5 °C")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n\n ,,\n", "has no filled cells"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest", "old Excel"),
        (b"PK\x03\x04 nonsense", "not readable as a workbook"),
        (b"SKU,Qty\nA\x00B,1\n", "neither text nor a workbook"),
        (b'SKU,Qty\n"' + b"x" * 140_000 + b'",1\n', "not readable as CSV"),
    ],
)
def test_refuses_what_is_no_table(content, words):
    with pytest.raises(UnreadableTable, match=words):
        read(content)


def test_refuses_a_file_above_the_limits(monkeypatch):
    monkeypatch.setattr(tables, "ROWS_MAX", 3)
    monkeypatch.setattr(tables, "HEADER_WITHIN_ROWS", 1)
    monkeypatch.setattr(tables, "BYTES_MAX", 100)
    with pytest.raises(TableTooLarge, match="more than 3 rows"):
        read("SKU,Qty\n" + "A,1\n" * 4)
    with pytest.raises(TableTooLarge, match="one import takes"):
        read("SKU,Qty\n" + "A,1\n" * 40)


def test_refuses_a_workbook_that_unpacks_to_more_than_it_should(monkeypatch):
    monkeypatch.setattr(tables, "UNPACKED_BYTES_MAX", 1_000_000)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 2_000_000)

    with pytest.raises(TableTooLarge, match="unpacks to"):
        read(file.getvalue(), name="bomb.xlsx")


def test_a_sheet_is_chosen_by_name():
    book = Workbook()
    book.active.append(["SKU", "Qty"])
    other = book.create_sheet("Parts")
    other.append(["SKU", "Qty"])
    other.append(["B", 2])
    file = io.BytesIO()
    book.save(file)

    assert cells(read(file.getvalue(), sheet="parts")) == [(2, "B", "2")]
    with pytest.raises(UnreadableTable, match=r"has no sheet “Else”\. It has: Sheet, Parts"):
        read(file.getvalue(), sheet="Else")


def test_titles_are_matched_however_they_are_spelled():
    assert normal_title("PerAssemblyQty") == normal_title("per_assembly-qty.") == "per assembly qty"
    assert normal_title("unit_price_usd") == "unit price"
    table = read("Item Code*;Qty. (m);Remark\nA;1;x\n")

    columns = find_columns(table, FIELDS)

    assert columns.found == {"sku": 0, "quantity": 1}
    assert columns.hints == {"quantity": "m"}
    assert columns.unused == ("Remark",)


def test_a_missing_column_is_named_with_what_there_is():
    with pytest.raises(UnreadableTable, match=r"no column for: Quantity .* are “SKU”, “Note”"):
        find_columns(read("SKU,Note\nA,x\n"), FIELDS)
