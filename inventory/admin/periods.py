"""Closed periods to look at; they are closed and reopened on their own page."""

from decimal import Decimal

from django.contrib import admin
from django.utils.safestring import SafeString

from inventory.admin_tools import ReadOnlyAdmin
from inventory.models import PeriodClose
from inventory.templatetags.figures import money


@admin.register(PeriodClose)
class PeriodCloseAdmin(ReadOnlyAdmin):
    list_display = ("through", "closed_at", "closed_by", "items", "worth", "reopened_at", "reopened_by")
    list_select_related = ("closed_by", "reopened_by")
    ordering = ("-id",)

    @admin.display(description="Value", ordering="known_value")
    def worth(self, period: PeriodClose) -> SafeString:
        return money(Decimal(period.known_value))
