"""Set-up of BOMs: versions with their lines, what they cost and how many they make; orders and completions to look at."""

# ruff: noqa: ARG002  Django decides the signatures of these methods

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.dateparse import parse_date
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.forms import PaginationInlineFormSet

from inventory.admin_tools import ExchangeAdmin, HistoryAdmin, ReadOnlyAdmin, ReadOnlyInline, ShellInline, page_button
from inventory.errors import DomainError
from inventory.models import Item
from inventory.templatetags.figures import NOTHING, badge, grouped, money, quantity, unit_cost
from production.bom_checks import BomLineSpec
from production.models import Bom, BomLine, BomState, Completion, CompletionLine, IssueMethod, WorkOrder, WorkOrderLine
from production.operations.boms import (
    activate_bom,
    check_draft,
    create_draft,
    discard_draft,
    draft_from,
    lock_graph,
    locked_versions,
    replace_lines,
    retire_bom,
)
from production.reads.bom_check import check_bom
from production.reads.bom_diff import BomDiff, bom_diff
from production.reads.bom_tree import BomTree, bom_tree
from production.reads.buildable import Buildable, ComponentLimit, buildable_by_bom
from production.reads.cost_rollup import CostRollup, LineCost, as_unit_cost, cost_rollups
from production.reads.where_used import WhereUsed, where_used

ISSUE_WORDS = [(IssueMethod.BACKFLUSH, "Backflush"), (IssueMethod.PROMPT, "Ask"), (IssueMethod.MANUAL, "By hand")]
"""Short enough for a row of many fields."""
TREE_ROWS_MAX = 300
VERSIONS_SHOWN_MAX = 12
STATE_TONES = {
    BomState.DRAFT: ("info", "edit_note"),
    BomState.ACTIVE: ("good", "check_circle"),
    BomState.RETIRED: ("quiet", "inventory"),
}


def state_badge(bom: Bom) -> SafeString:
    tone, icon = STATE_TONES[BomState(bom.state)]
    return badge(bom.get_state_display(), tone, icon)


# --- Lines ------------------------------------------------------------------------------------------------------------


class BomLineForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        labels: ClassVar[dict[str, str]] = {
            "scrap_percent": "Scrap %",
            "setup_quantity": "Set-up",
            "rounding_multiple": "Multiple",
            "issue_method": "Issue",
            "is_consumable": "Consumable",
            "is_optional": "Optional",
            "is_phantom": "Explode",
            "builds_shortage": "Build",
        }
        help_texts: ClassVar[dict[str, str]] = dict.fromkeys(
            ("quantity", "scrap_percent", "is_consumable", "reference"), ""
        )


class BomLineFormSet(PaginationInlineFormSet):  # type: ignore[misc]
    """The lines of one draft. They are checked together, and each problem stands at its line."""

    def clean(self) -> None:
        super().clean()
        if any(form.errors for form in self.forms):
            return
        forms_, specs = self.wanted_lines()
        item = getattr(self.instance, "item", None) if self.instance.item_id else None
        if item is None:
            return
        makes = self.instance.makes if self.instance.makes is not None else Decimal(1)
        loose = []
        for problem in check_bom(item=item, lines=specs, makes=makes, bom_id=self.instance.pk):
            if problem.line is None:
                loose.append(forms.ValidationError(problem.error.message))
                continue
            form = forms_[problem.line]
            form.add_error(problem.field if problem.field in form.fields else None, problem.error.message)
        if loose:
            raise forms.ValidationError(loose)

    def wanted_lines(self) -> tuple[list[forms.ModelForm], list[BomLineSpec]]:  # type: ignore[type-arg]
        """The forms that make lines, in their order, and the lines they make."""
        filled = [form for form in self.forms if form.cleaned_data.get("component") and not _is_deleted(form)]
        filled.sort(key=lambda form: (form.cleaned_data.get("position") or 0, self.forms.index(form)))
        return filled, [_spec(form.cleaned_data) for form in filled]


def _is_deleted(form: forms.BaseForm) -> bool:
    return bool(form.cleaned_data.get("DELETE"))


def _spec(values: Mapping[str, Any]) -> BomLineSpec:
    return BomLineSpec(
        component=values["component"],
        quantity=values["quantity"],
        unit=values.get("unit") or "",
        scrap_percent=values.get("scrap_percent") or Decimal(0),
        setup_quantity=values.get("setup_quantity") or Decimal(0),
        rounding_multiple=values.get("rounding_multiple"),
        issue_method=values["issue_method"],
        is_consumable=bool(values.get("is_consumable")),
        is_optional=bool(values.get("is_optional")),
        is_phantom=bool(values.get("is_phantom")),
        builds_shortage=bool(values.get("builds_shortage")),
        reference=values.get("reference") or "",
        note=values.get("note") or "",
    )


@dataclass(frozen=True, slots=True)
class Figures:
    """What a version costs and makes by present stock, for the page and its lines."""

    rollup: CostRollup | None
    buildable: Buildable | None
    costs: Mapping[int, LineCost]
    limits: Mapping[int, ComponentLimit]

    @classmethod
    def of(cls, bom: Bom) -> "Figures":
        rollup = cost_rollups(boms=[bom.pk]).get(bom.pk)
        can_make = buildable_by_bom(boms=[bom.pk]).get(bom.pk)
        return cls(
            rollup,
            can_make,
            {line.line_id: line for line in rollup.lines} if rollup else {},
            {limit.component.id: limit for limit in can_make.limits} if can_make else {},
        )


class BomLineInline(ShellInline):
    model = BomLine
    form = BomLineForm
    formset = BomLineFormSet
    ordering_field = "position"
    hide_ordering_field = True
    hide_title = True
    autocomplete_fields = ("component",)
    fields = (
        "component",
        "quantity",
        "unit",
        "cost",
        "enough_for",
        "scrap_percent",
        "issue_method",
        "is_consumable",
        "is_optional",
        "is_phantom",
        "builds_shortage",
        "setup_quantity",
        "rounding_multiple",
        "reference",
        "position",
    )
    readonly_fields = ("cost", "enough_for")
    verbose_name_plural = "Lines"

    def get_queryset(self, request: HttpRequest) -> QuerySet[BomLine]:
        return super().get_queryset(request).select_related("component", "bom__item")  # type: ignore[no-any-return]

    def get_extra(self, request: HttpRequest, obj: Bom | None = None, **kwargs: Any) -> int:
        """Empty rows to begin with; more come by the button below them."""
        return 3 if obj is None else 0

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "issue_method":
            kwargs["choices"] = ISSUE_WORDS
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Without the buttons that add or change a component from here: the row needs the room."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "component" and field is not None:
            for right in ("can_add_related", "can_change_related", "can_delete_related", "can_view_related"):
                setattr(field.widget, right, False)
        return field

    @admin.display(description="Cost each")
    def cost(self, line: BomLine) -> SafeString | str:
        figures: Figures | None = getattr(self, "figures", None)
        found = figures.costs.get(line.pk) if figures and line.pk else None
        if found is None:
            return NOTHING
        return (
            money(as_unit_cost(found.cost), places=4)
            if found.cost is None or found.cost < 1
            else money(as_unit_cost(found.cost))
        )

    @admin.display(description="Enough for")
    def enough_for(self, line: BomLine) -> SafeString | str:
        figures: Figures | None = getattr(self, "figures", None)
        limit = figures.limits.get(line.component_id) if figures and line.pk else None
        if limit is None or figures is None or figures.buildable is None:
            return NOTHING
        is_bottleneck = figures.buildable.quantity is not None and limit.limit == figures.buildable.quantity
        text = grouped(limit.limit)
        title = f"{grouped(limit.free)} {limit.component.stock_unit} free"
        tone = "bf-tone-look bf-strong" if is_bottleneck else ""
        return format_html('<span class="num {}" title="{}">{}</span>', tone, title, text)


# --- The version ------------------------------------------------------------------------------------------------------


class BomForm(forms.ModelForm):  # type: ignore[type-arg]
    """The head of a draft. `opened` is the revision the page was made from: nobody writes over what they have not seen."""

    opened = forms.IntegerField(required=False, widget=forms.HiddenInput)
    refusal = ""
    """Why the same form could not be saved a moment ago; it is shown again with everything that was typed."""

    class Meta:
        model = Bom
        fields = ("item", "makes", "effective_from", "deviation_policy", "deviation_tolerance_percent", "note")
        labels: ClassVar[dict[str, str]] = {"makes": "One batch makes", "deviation_tolerance_percent": "Tolerance %"}
        help_texts: ClassVar[dict[str, str]] = {
            "makes": "In the item's stock unit.",
            "effective_from": "Empty: the day it is activated.",
            "deviation_policy": "When actual use differs from the standard.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["opened"] = self.instance.revision

    def clean(self) -> dict[str, Any]:
        """The draft is locked from here until it is saved, in the order of the operations; the last word is that of now."""
        values = super().clean() or {}
        if self.refusal:
            raise forms.ValidationError(self.refusal)
        if self.instance.pk:
            lock_graph()
            try:
                now = locked_versions(self.instance)[self.instance.pk]
                check_draft(now, "changed")
            except DomainError as error:
                raise forms.ValidationError(error.message) from error
            opened = values.get("opened")
            if opened is not None and opened != now.revision:
                self.data = {**self.data, "opened": str(now.revision)}  # saving once more means it
                raise forms.ValidationError(
                    f"{now} was saved by somebody else since you opened it, and nothing of yours was written. Save again to "
                    "write yours over it, or load the page again to take theirs."
                )
        return values


def _share(fraction: Fraction | None) -> str:
    return "–" if fraction is None else grouped(as_unit_cost(fraction) or Decimal(0))


@admin.register(Bom)
class BomAdmin(ExchangeAdmin, HistoryAdmin):
    exchange = "boms"
    form = BomForm
    list_display = ("version_name", "item_name", "state_label", "makes_words", "effective_from", "effective_to")
    list_display_links = ("version_name",)
    list_filter = ("state", "item__kind", "item__category")
    list_select_related = ("item",)
    search_fields = ("item__sku", "item__name", "item__barcode")
    search_help_text = "SKU, name or barcode of what is made"
    autocomplete_fields = ("item",)
    ordering = ("item__sku", "-version")
    inlines = (BomLineInline,)
    change_form_outer_before_template = "production/admin/bom_head.html"
    change_form_outer_after_template = "production/admin/bom_foot.html"
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("item", "makes", "effective_from"),
                    ("deviation_policy", "deviation_tolerance_percent", "note"),
                )
            },
        ),
    )

    @admin.display(description="Version", ordering="item__sku")
    def version_name(self, bom: Bom) -> str:
        return str(bom)

    @admin.display(description="Name", ordering="item__name")
    def item_name(self, bom: Bom) -> str:
        return bom.item.name

    @admin.display(description="State", ordering="state")
    def state_label(self, bom: Bom) -> SafeString:
        return state_badge(bom)

    @admin.display(description="Makes", ordering="makes")
    def makes_words(self, bom: Bom) -> SafeString:
        return quantity(bom.makes, bom.item)

    # Only drafts are edited; the rest is kept as it was.

    def has_change_permission(self, request: HttpRequest, obj: Bom | None = None) -> bool:
        return bool(super().has_change_permission(request, obj)) and (obj is None or obj.is_draft)

    def has_delete_permission(self, request: HttpRequest, obj: Bom | None = None) -> bool:
        """Drafts are discarded by the button of their page, which says what it does."""
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Bom | None = None) -> tuple[str, ...]:
        return ("item",) if obj is not None else ()

    def get_inline_instances(self, request: HttpRequest, obj: Bom | None = None) -> list[Any]:
        inlines = super().get_inline_instances(request, obj)
        if obj is not None:
            figures = Figures.of(obj)
            request._bom_figures = figures  # type: ignore[attr-defined]
            for inline in inlines:
                inline.figures = figures
        return inlines  # type: ignore[no-any-return]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        initial = super().get_changeform_initial_data(request)
        sku = request.GET.get("sku", "")
        if sku:
            initial["item"] = Item.objects.filter(sku__iexact=sku).values_list("pk", flat=True).first()
        return dict(initial)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        context = dict(extra_context or {})
        bom = Bom.objects.select_related("item").filter(pk=object_id).first() if object_id else None
        if bom is not None:
            context |= self._page_context(request, bom)
        try:
            response: HttpResponse = super().changeform_view(request, object_id, form_url, context)
        except DomainError as error:
            request._bom_refusal = error.message  # type: ignore[attr-defined]
            response = super().changeform_view(request, object_id, form_url, context)
        return response

    def get_form(self, request: HttpRequest, obj: Bom | None = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        form.refusal = getattr(request, "_bom_refusal", "")
        return form

    def get_fieldsets(self, request: HttpRequest, obj: Bom | None = None) -> Any:
        if obj is None or not self.has_change_permission(request, obj):
            return self.fieldsets
        return (*self.fieldsets, (None, {"fields": ("opened",), "classes": ("hidden",)}))

    def _page_context(self, request: HttpRequest, bom: Bom) -> dict[str, Any]:
        """What stands above and below the form. None of it is needed while a form is being saved."""
        if request.method != "GET":
            return {"bom": bom, "versions": _versions(bom), "state_badge": state_badge(bom)}
        figures = Figures.of(bom)
        active = _compared(bom)
        tree: BomTree = bom_tree(bom_id=bom.pk, rows_max=TREE_ROWS_MAX)
        used: WhereUsed = where_used(item_id=bom.item_id)
        difference: BomDiff | None = bom_diff(old_id=active.pk, new_id=bom.pk) if active else None
        return {
            "bom": bom,
            "versions": _versions(bom),
            "state_badge": state_badge(bom),
            "rollup": figures.rollup,
            "bom_unit_cost": unit_cost(as_unit_cost(figures.rollup.cost.value)) if figures.rollup else None,
            "buildable": figures.buildable,
            "tree": tree,
            "used": used,
            "difference": difference,
            "compared": active,
            "line_changes": [
                (change, _share(change.old_per_unit), _share(change.new_per_unit)) for change in difference.lines
            ]
            if difference
            else [],
            "can_draft": request.user.has_perm("production.add_bom"),
            "can_activate": request.user.has_perm("production.activate_bom"),
            "can_discard": request.user.has_perm("production.delete_bom"),
        }

    def save_model(self, request: HttpRequest, obj: Bom, form: Any, change: bool) -> None:
        """A new version is made by the operation, which numbers it; a draft's head is saved as it is."""
        if change:
            obj.revision += 1
            super().save_model(request, obj, form, change)
            return
        assert request.user.is_authenticated
        draft = create_draft(
            item=obj.item,
            makes=obj.makes,
            deviation_policy=obj.deviation_policy,
            deviation_tolerance_percent=obj.deviation_tolerance_percent,
            effective_from=obj.effective_from,
            note=obj.note,
            actor=request.user,
        )
        obj.pk, obj.version, obj.created_at = draft.pk, draft.version, draft.created_at
        obj._state.adding = False

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """All lines at once, checked together under the lock that keeps loops out."""
        formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []
        _, specs = formset.wanted_lines()
        if formset.has_changed() or not change:
            assert request.user.is_authenticated
            replace_lines(bom=form.instance, lines=specs, actor=request.user)

    # Buttons of the page

    def get_urls(self) -> list[URLPattern]:
        def button(name: str, view: Callable[..., HttpResponse]) -> URLPattern:
            wrapped = self.admin_site.admin_view(require_POST(view))
            pattern: URLPattern = path(f"<int:pk>/{name}/", wrapped, name=f"production_bom_{name}")
            return pattern

        return [
            button("draft", self.make_draft),
            button("activate", self.activate),
            button("discard", self.discard),
            button("retire", self.retire),
            *super().get_urls(),
        ]

    def make_draft(self, request: HttpRequest, pk: int) -> HttpResponse:
        bom = self._bom(request, pk, "production.add_bom")
        return self._run(request, bom, lambda actor: _drafted(draft_from(bom=bom, actor=actor)))

    def activate(self, request: HttpRequest, pk: int) -> HttpResponse:
        bom = self._bom(request, pk, "production.activate_bom")
        day = parse_date(request.POST.get("effective_from", "") or "") if request.POST.get("effective_from") else None
        return self._run(
            request, bom, lambda actor: _activated(activate_bom(bom=bom, effective_from=day, actor=actor).bom)
        )

    def discard(self, request: HttpRequest, pk: int) -> HttpResponse:
        bom = self._bom(request, pk, "production.delete_bom")

        def work(actor: Any) -> tuple[str, str]:
            discard_draft(bom=bom, actor=actor)
            return reverse("admin:production_bom_changelist"), f"Discarded the draft {bom}."

        return self._run(request, bom, work)

    def retire(self, request: HttpRequest, pk: int) -> HttpResponse:
        bom = self._bom(request, pk, "production.activate_bom")

        def work(actor: Any) -> tuple[str, str]:
            retired = retire_bom(bom=bom, actor=actor)
            return _change_url(retired), f"{retired} is retired. It is no longer used for new completions."

        return self._run(request, bom, work)

    def _bom(self, request: HttpRequest, pk: int, permission: str) -> Bom:
        if not request.user.has_perm(permission):
            raise PermissionDenied
        return get_object_or_404(Bom.objects.select_related("item"), pk=pk)

    def _run(self, request: HttpRequest, bom: Bom, work: Callable[[Any], tuple[str, str]]) -> HttpResponse:
        try:
            url, message = work(request.user)
        except DomainError as error:
            messages.error(request, error.message)
            return redirect(_change_url(bom))
        messages.success(request, message)
        return redirect(url)


def _versions(bom: Bom) -> list[tuple[Bom, SafeString]]:
    found = Bom.objects.filter(item_id=bom.item_id).select_related("item").order_by("-version")[:VERSIONS_SHOWN_MAX]
    return [(one, state_badge(one)) for one in found]


def _compared(bom: Bom) -> Bom | None:
    """The version a page compares with: for a draft the active one, else the one before."""
    others = Bom.objects.filter(item_id=bom.item_id).exclude(pk=bom.pk).select_related("item")
    if bom.is_draft:
        active = others.filter(state=BomState.ACTIVE).order_by("-effective_from", "-version").first()
        if active is not None:
            return active
    return others.filter(version__lt=bom.version).order_by("-version").first()


def _change_url(bom: Bom) -> str:
    return reverse("admin:production_bom_change", args=[bom.pk])


def _drafted(draft: Bom) -> tuple[str, str]:
    return _change_url(
        draft
    ), f"{draft} is a draft to edit. The active version stays in force until you activate this one."


def _activated(bom: Bom) -> tuple[str, str]:
    when = f" from {bom.effective_from}" if bom.effective_from else ""
    return _change_url(bom), f"{bom} is active{when}. Completions use it now; it no longer changes."


# --- Orders and completions, to look at -------------------------------------------------------------------------------


class WorkOrderLineInline(ReadOnlyInline):
    model = WorkOrderLine
    fields = ("component", "issue_method", "booked", "used")

    def get_queryset(self, request: HttpRequest) -> QuerySet[WorkOrderLine]:
        return super().get_queryset(request).select_related("component", "work_order")  # type: ignore[no-any-return]


@admin.register(WorkOrder)
class WorkOrderAdmin(ReadOnlyAdmin):
    list_display = ("number", "item", "wanted", "made", "lost", "state", "due_on")
    list_filter = ("state", "due_on")
    list_select_related = ("item",)
    search_fields = ("number", "item__sku", "demand_ref")
    inlines = (WorkOrderLineInline,)
    actions_detail: ClassVar[list[str]] = ["open_order_page"]

    @admin.display(description="Planned", ordering="planned")
    def wanted(self, order: WorkOrder) -> SafeString:
        return quantity(order.planned, order.item)

    @admin.display(description="Good", ordering="good")
    def made(self, order: WorkOrder) -> SafeString:
        return quantity(order.good, order.item)

    @admin.display(description="Scrapped", ordering="scrapped")
    def lost(self, order: WorkOrder) -> SafeString:
        return quantity(order.scrapped, order.item)

    @page_button(description="Open the order", icon="assignment")
    def open_order_page(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return redirect("production:work_order", WorkOrder.objects.get(pk=object_id).number)


class CompletionLineInline(ReadOnlyInline):
    model = CompletionLine
    fields = ("component", "expected", "actual", "reason", "value")

    def get_queryset(self, request: HttpRequest) -> QuerySet[CompletionLine]:
        return super().get_queryset(request).select_related("component")  # type: ignore[no-any-return]


@admin.register(Completion)
class CompletionAdmin(ReadOnlyAdmin):
    list_display = ("posting", "item", "bom", "made", "lost", "output_location", "cost")
    list_select_related = ("posting", "item", "bom__item", "output_location")
    search_fields = ("item__sku", "work_order__number")
    inlines = (CompletionLineInline,)
    actions_detail: ClassVar[list[str]] = ["open_completion_page"]

    @admin.display(description="Good", ordering="good")
    def made(self, completion: Completion) -> SafeString:
        return quantity(completion.good, completion.item)

    @admin.display(description="Scrapped", ordering="scrapped")
    def lost(self, completion: Completion) -> SafeString:
        return quantity(completion.scrapped, completion.item)

    @admin.display(description="Cost", ordering="output_value")
    def cost(self, completion: Completion) -> SafeString:
        return money(completion.output_value)

    @page_button(description="Open with undo", icon="task_alt")
    def open_completion_page(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return redirect("production:completion", object_id)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(super().has_view_permission(request, obj))
