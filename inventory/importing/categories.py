"""Import of categories: what is missing of the tree is made. Categories have nothing but their place in it."""

from inventory.importing.headers import Field, find_columns
from inventory.importing.paths import NAME_MAX, Categories, path_text, read_path
from inventory.importing.reports import Change, Outcome, Report
from inventory.importing.rows import read_rows
from inventory.importing.running import ImportKind, ImportOptions
from inventory.importing.tables import Table
from inventory.importing.upkeep import leave_out_blank
from inventory.operations.posting import Actor

FIELDS = (
    Field(
        "name",
        "Category",
        ("category", "name", "category name", "item group", "group"),
        is_required=True,
        help_text="A name, or with its way: Wax/Soy. A slash inside a name is written twice.",
    ),
    Field(
        "below", "Below", ("below", "parent", "parent category"), help_text="The category it stands in, with its way."
    ),
)


def import_categories(table: Table, options: ImportOptions, actor: Actor) -> Report:  # noqa: ARG001  like every kind
    """Make the categories of a table that are missing; see running.ImportKind."""
    report = Report.of("categories", table)
    columns = find_columns(table, FIELDS)
    readers = leave_out_blank(
        read_rows(table, columns, report, numbers=()),
        report,
        key="name",
        words="the category is empty. Name it, or delete the row.",
    )
    categories = Categories()
    for reader in readers:
        path = (*read_path(reader.text("below")), *read_path(reader.text("name")))
        label = path_text(path)
        if not path or any(len(name) > NAME_MAX for name in path):
            reader.refuse("name", f"a category needs a name of at most {NAME_MAX} characters. Shorten it.")
        if not reader.is_clean:
            report.add(reader.number, Outcome.REFUSED, label)
        elif categories.find(path) is not None:
            report.add(reader.number, Outcome.UNCHANGED, label)
        else:
            categories.ensure(path, actor=actor)
            report.add(reader.number, Outcome.NEW, label, changes=[Change("Category", "", label)])
    report.results.sort(key=lambda result: result.row)
    return report


CATEGORIES = ImportKind(
    name="categories",
    title="Categories",
    help_text="The tree of categories. Missing ones are made, what is there stays. The table of items puts items into them.",
    permissions=("inventory.add_itemcategory", "inventory.change_itemcategory"),
    fields=FIELDS,
    options=(),
    perform=import_categories,
    order=8,
)
