"""The editor of a draft: everything of a version on one page, checked and costed while one types, saved as a whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from inventory.errors import DomainError
from inventory.web import go_to, render_page
from inventory.whole_numbers import whole_number
from production.bom_content import BomContent
from production.bom_forms import BomHeadForm
from production.bom_row_reading import read_rows_of
from production.bom_rows import Row, Rows, know_items, place_problems, rows_of_content, rows_of_post
from production.costing import KIND_WORDS, CostKind
from production.errors import BomChangedMeanwhile
from production.importing.pasting import Paste, read_paste
from production.models import Bom, IssueMethod, OperationKind, OutputKind
from production.operations.bom_content import write_bom
from production.reads.bom_content import content_of, head_of
from production.reads.bom_diff import BomDiff, Side, compare, stored_substitutes
from production.reads.bom_outlook import ON_THE_PAGE, BomOutlook, LineOutlook, bom_outlook
from production.reads.cost_rollup import as_unit_cost
from production.views.boms import bom_named, compared_version, crumbs_of, state_badge, title_of, versions_of

ISSUE_WORDS = [
    (IssueMethod.BACKFLUSH.value, "Backflush"),
    (IssueMethod.PROMPT.value, "Ask for the actual"),
    (IssueMethod.MANUAL.value, "By hand"),
]
ACTIONS = ("refresh", "remove", "move", "add", "paste_check", "paste_add")
"""Buttons that change the page and save nothing."""


@dataclass(slots=True)
class Editor:
    """One request's view of the editor: what was typed, what it means, and what it would cost."""

    bom: Bom
    head: BomHeadForm
    rows: Rows
    content: BomContent
    outlook: BomOutlook
    difference: BomDiff | None
    revision: str
    is_readable: bool
    """Whether everything typed can be read; whether it may stand is another question."""
    loose: Sequence[str] = ()
    paste: Paste | None = None
    paste_text: str = ""
    conflict: BomChangedMeanwhile | None = None
    refusal: str = ""
    new_rows: Mapping[str, Row] = field(default_factory=dict)

    @property
    def messages(self) -> int:
        return len(self.loose) + sum(len(row.errors) for row in self.rows.all()) + len(self.head.errors)


@require_http_methods(["GET", "POST"])
@permission_required("production.change_bom", raise_exception=True)
def edit_bom(request: HttpRequest, pk: int) -> HttpResponse:
    """Edit a draft. A version that is no draft leads to its page."""
    bom = bom_named(pk)
    if not bom.is_draft:
        return redirect("production:bom", pk)
    if request.method == "GET":
        return _page(request, _stored(bom))
    editor = _typed(request.POST, bom)
    if any(name in request.POST for name in ACTIONS):
        return _page(request, editor)
    if not editor.is_readable or editor.messages:
        return _page(request, editor, status=422)
    try:
        saved = write_bom(bom=bom, content=editor.content, revision=_revision(request), actor=request.user)
    except BomChangedMeanwhile as conflict:
        editor.conflict = conflict
        editor.difference = _against(editor.outlook, editor.content, bom_named(pk))
        return _page(request, editor, status=422)
    except DomainError as error:
        editor.refusal = error.message
        return _page(request, editor, status=422)
    if "and_close" in request.POST:
        return go_to(request, "production:bom", pk, message=f"Saved {title_of(saved)}.")
    return go_to(request, "production:edit_bom", pk, message=f"Saved {title_of(saved)}, still a draft.")


def _revision(request: HttpRequest) -> int:
    """The revision the person has seen: that of the page, or the newer one they chose to write over."""
    text = request.POST.get("over") or request.POST.get("revision") or ""
    return whole_number(text, digits_max=9) or 0


def _stored(bom: Bom) -> Editor:
    content = content_of(bom)
    rows = rows_of_content(content.lines, content.outputs, content.operations)
    return _editor(bom, BomHeadForm(initial=BomHeadForm.values_of(content.head)), rows, str(bom.revision))


def _typed(data: QueryDict, bom: Bom) -> Editor:
    rows = rows_of_post({name: data.get(name, "") for name in data})
    rows.press(data.get("remove", ""), is_removal=True)
    rows.press(data.get("move", ""), is_removal=False)
    text = data.get("paste", "")
    paste = read_paste(text, sku=bom.item.sku) if "paste_check" in data or "paste_add" in data else None
    if paste is not None and "paste_add" in data and paste.good:
        rows.lines += paste.good
        rows.number()
        paste, text = None, ""
    is_action = any(name in data for name in ACTIONS)
    editor = _editor(bom, BomHeadForm(data), rows, data.get("revision", ""), is_unfinished=is_action)
    editor.paste, editor.paste_text = paste, text
    return editor


def _editor(bom: Bom, head: BomHeadForm, rows: Rows, revision: str, *, is_unfinished: bool = False) -> Editor:
    know_items(rows)
    lines, outputs, operations = read_rows_of(rows)
    if is_unfinished:  # a field that is still empty is no mistake while one types
        for row in rows.all():
            row.errors = {name: told for name, told in row.errors.items() if row.text(name)}
    is_readable = not any(row.errors for row in rows.all())
    if head.is_bound:
        is_readable = head.is_valid() and is_readable
        spec = head.spec()
    else:
        spec = head_of(bom)
    content = BomContent(spec, lines, outputs, operations)
    before = compared_version(bom)
    others = [before.pk] if before else []
    outlook = bom_outlook(item=bom.item, content=content, bom_id=bom.pk, others=[*others, bom.pk])
    loose = place_problems(rows, [p for p in outlook.problems if p.line is not None])
    for problem in outlook.problems:
        if problem.line is None:
            if head.is_bound and problem.field in head.fields:
                head.add_error(problem.field, problem.error.message)
            else:
                loose.append(problem.error.message)
    difference = _against(outlook, content, before) if before else None
    return Editor(bom, head, rows, content, outlook, difference, revision, is_readable, loose)


def _against(outlook: BomOutlook, content: BomContent, before: Bom) -> BomDiff:
    """What the page changes against a stored version that was read along."""
    shown = {
        -index - 1: [(one.item.sku, one.ratio) for one in line.substitutes or ()]
        for index, line in enumerate(content.lines)
    }
    return compare(
        outlook.book,
        outlook.stock,
        old=Side(before.pk, head_of(before), stored_substitutes([before.pk])),
        new=Side(ON_THE_PAGE, content.head, shown),
    )


# --- The page ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ShownLine:
    """A row with what is known about it."""

    row: Row
    outlook: LineOutlook | None

    @property
    def cost(self) -> Any:
        return as_unit_cost(self.outlook.cost) if self.outlook else None

    @property
    def is_optional(self) -> bool:
        return "is_optional" in self.row.flags

    @property
    def parts(self) -> list[tuple[Any, Any]]:
        return [(part, as_unit_cost(part.cost)) for part in self.outlook.parts] if self.outlook else []


def _page(request: HttpRequest, editor: Editor, *, status: int = 200) -> HttpResponse:
    bom, rows, outlook = editor.bom, editor.rows, editor.outlook
    rollup = outlook.rollup
    shown = [ShownLine(row, None if row.index is None else outlook.lines.get(row.index)) for row in rows.lines]
    blank = Row(f"line-{len(rows.lines)}", {"issue_method": IssueMethod.BACKFLUSH.value})
    first_wrong = next((row for row in rows.lines if row.errors), None)
    return render_page(
        request,
        "production/bom_edit.html",
        part={"bom-form": "production/_bom_form.html", "bom-live": "production/_bom_live_part.html"},
        title=title_of(bom),
        crumbs=crumbs_of(),
        status=status,
        bom=bom,
        badge=state_badge(bom),
        versions=versions_of(bom),
        compared=compared_version(bom),
        editor=editor,
        form_errors=bool(editor.head.errors) if editor.head.is_bound else False,
        lines=[*shown, ShownLine(blank, None)],
        line_count=len(rows.lines),
        outputs=[*rows.outputs, Row(f"output-{len(rows.outputs)}", {"kind": OutputKind.BY_PRODUCT.value})],
        operations=[*rows.operations, Row(f"operation-{len(rows.operations)}", {"kind": OperationKind.LABOUR.value})],
        output_count=len(rows.outputs),
        operation_count=len(rows.operations),
        rollup=rollup,
        kinds=[(KIND_WORDS[CostKind(kind)], value) for kind, value in rollup.by_kind.items()],
        levels=[(depth, value) for depth, value in enumerate(rollup.by_level, start=1)],
        buildable=outlook.buildable,
        difference=editor.difference,
        issue_words=ISSUE_WORDS,
        output_kinds=OutputKind.choices,
        operation_kinds=OperationKind.choices,
        focus=_focus(request, rows, first_wrong),
        attachments=list(bom.attachments.select_related("uploaded_by").order_by("name", "id")),
        edit_url=reverse("production:edit_bom", args=[bom.pk]),
        today=timezone.localdate(),
        may_edit_files=True,
    )


def _focus(request: HttpRequest, rows: Rows, first_wrong: Row | None) -> str:
    """The field the cursor goes to: the first one that is wrong, else the quantity of a line just named, else the new line.

    None when a draft that has lines is opened: the new line is far down, and the page would open in its middle.
    """
    if first_wrong is not None:
        return f"{first_wrong.prefix}-{next(iter(first_wrong.errors))}"
    if request.method == "POST" and rows.lines and not rows.lines[-1].text("quantity"):
        return f"{rows.lines[-1].prefix}-quantity"
    if request.method == "GET" and rows.lines:
        return ""
    return f"line-{len(rows.lines)}-component"
