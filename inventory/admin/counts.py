"""Set-up of counting: how often each class is counted, and how far a count may be off."""

# ruff: noqa: ARG002  Django decides the signatures of these methods

from typing import ClassVar

from django.contrib import admin
from django.http import HttpRequest

from inventory.admin_tools import ShellAdmin
from inventory.models import CountClass


@admin.register(CountClass)
class CountClassAdmin(ShellAdmin):
    """The three classes are there from the start; their figures are changed, the classes stay."""

    list_display: ClassVar = ("group", "counts_per_year", "tolerance_percent", "share_percent", "approval_value")
    readonly_fields: ClassVar = ("group",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False
