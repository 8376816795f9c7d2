"""Set-up of counting: how often each class is counted, and how far a count may be off."""

# ruff: noqa: ARG002  Django decides the signatures of these methods

from typing import ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from inventory.admin_tools import ShellAdmin
from inventory.models import CountClass
from inventory.quantities import as_text
from inventory.templatetags.figures import money


@admin.register(CountClass)
class CountClassAdmin(ShellAdmin):
    """The three classes are there from the start; their figures are changed, the classes stay."""

    list_display: ClassVar = ("group", "a_year", "tolerance", "share", "approval")
    readonly_fields: ClassVar = ("group",)

    @admin.display(description="Counts a year", ordering="counts_per_year")
    def a_year(self, row: CountClass) -> str:
        return as_text(row.counts_per_year)

    @admin.display(description="Tolerance", ordering="tolerance_percent")
    def tolerance(self, row: CountClass) -> str:
        return f"{as_text(row.tolerance_percent)} %"

    @admin.display(description="Up to this share of the year's usage", ordering="share_percent")
    def share(self, row: CountClass) -> str:
        return f"{as_text(row.share_percent)} %"

    @admin.display(description="Second person above", ordering="approval_value")
    def approval(self, row: CountClass) -> SafeString:
        return money(row.approval_value)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False
