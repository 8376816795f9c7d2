"""What the admin screens of every app share: read-only ledgers, paging without counting, the person behind a change."""

# ruff: noqa: ARG002  Django decides the signatures of these methods

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar, TypeVar, cast

from django.db.models import DecimalField, Model, QuerySet, TextField
from django.forms import BaseModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action
from unfold.overrides import FORMFIELD_OVERRIDES_INLINE
from unfold.paginator import InfinitePaginator
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminExpandableTextareaWidget

from inventory.operations.describing import delete_and_tell, save_and_tell
from inventory.quantities import as_text


class PlainDecimalWidget(UnfoldAdminDecimalFieldWidget):  # type: ignore[misc]
    """A number without trailing zeros, whatever the column keeps."""

    def format_value(self, value: Any) -> str | None:
        if isinstance(value, Decimal):
            return as_text(value)
        text = super().format_value(value)
        return None if text is None else str(text)


def without_trailing_zeros(content: str) -> str:
    """A read-only figure as people read it; anything else stays."""
    text = str(content)
    if not re.fullmatch(r"-?[0-9,]*\.[0-9]+", text):
        return content
    return text.rstrip("0").rstrip(".")


class FiguresInForms:
    """Decimals without trailing zeros, in fields and where they are only shown."""

    model: type[Model]

    @property
    def readonly_preprocess_fields(self) -> dict[str, Callable[[str], str]]:
        return {
            column.name: without_trailing_zeros
            for column in self.model._meta.get_fields()
            if isinstance(column, DecimalField)
        }


class ShellAdmin(FiguresInForms, ModelAdmin):  # type: ignore[misc]
    """A screen of the set-up: fifty rows a page, labels above their fields, unsaved changes are warned about."""

    list_per_page = 50
    list_filter_submit = False
    warn_unsaved_form = True
    show_full_result_count = False
    compressed_fields = False
    formfield_overrides = {
        DecimalField: {"widget": PlainDecimalWidget},
        TextField: {"widget": UnfoldAdminExpandableTextareaWidget},
    }


class ShellInline(FiguresInForms, TabularInline):  # type: ignore[misc]
    """Rows that belong to something, edited with it."""

    extra = 0
    formfield_overrides = {**FORMFIELD_OVERRIDES_INLINE, DecimalField: {"widget": PlainDecimalWidget}}


Method = TypeVar("Method", bound=Callable[..., Any])


def page_button(
    *, description: str, icon: str, permissions: Sequence[str] = ("view",), url_path: str = "page"
) -> Callable[[Method], Method]:
    """A button at the top of an admin screen that leads to another page of the same thing."""
    decorator = action(description=description, url_path=url_path, icon=icon, permissions=list(permissions))
    return cast(Callable[[Method], Method], decorator)


class ExchangeAdmin:
    """A list whose whole table can be taken out, and brought in, as a file. `exchange` is the name of its import."""

    exchange: ClassVar[str]
    actions_list: ClassVar[list[Any]] = [
        {"title": "Tables", "icon": "swap_vert", "items": ["take_out_csv", "take_out_xlsx", "bring_in"]}
    ]

    @page_button(description="Export all as CSV", icon="csv", url_path="take-out-csv")
    def take_out_csv(self, request: HttpRequest) -> HttpResponse:
        return redirect(f"{reverse('export_table', args=[self.exchange])}?as=csv")

    @page_button(description="Export all as Excel", icon="table", url_path="take-out-xlsx")
    def take_out_xlsx(self, request: HttpRequest) -> HttpResponse:
        return redirect(f"{reverse('export_table', args=[self.exchange])}?as=xlsx")

    @page_button(description="Import", icon="upload_file", permissions=["add"], url_path="bring-in")
    def bring_in(self, request: HttpRequest) -> HttpResponse:
        return redirect("import_table", self.exchange)


class HistoryAdmin(SimpleHistoryAdmin, ShellAdmin):  # type: ignore[misc]
    """A screen of master data whose changes are kept with their author."""

    history_list_per_page = 50

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """What can be promised may follow from it: then it is news."""
        save_and_tell(instance=obj, save=partial(super().save_model, request, obj, form, change), actor=request.user)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        gone = [one.instance for one in formset.deleted_forms if one.instance.pk is not None]
        delete_and_tell(
            instances=gone, delete=partial(super().save_formset, request, form, formset, change), actor=request.user
        )

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        delete_and_tell(instances=[obj], delete=partial(super().delete_model, request, obj), actor=request.user)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        delete_and_tell(
            instances=list(queryset), delete=partial(super().delete_queryset, request, queryset), actor=request.user
        )

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Whoever may read the audit sees the object there, with all that belongs to it and every change in words."""
        if request.user.has_perm("inventory.read_audit"):
            return redirect(f"{reverse('audit')}?of={self.model._meta.label_lower}:{object_id}")
        response: HttpResponse = super().history_view(request, object_id, extra_context)
        return response


class ReadOnlyAdmin(ShellAdmin):
    """Looking only. What stands here is written by operations and never by hand."""

    paginator = InfinitePaginator
    list_disable_select_all = True
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ReadOnlyInline(ShellInline):
    """Rows that belong to something, to look at."""

    can_delete = False
    per_page = 50
    ordering: Sequence[str] | None = ("pk",)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Sequence[str]:
        return self.fields or ()

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def is_new(form: "BaseModelForm[Any]") -> bool:
    """Whether a form makes a row rather than changing one."""
    return bool(form.instance._state.adding)
