"""Filters, columns and order of a table, kept under a name."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper


class SavedView(models.Model):
    """One way to look at a table: the query of its address, kept by a person, for everybody when it is shared."""

    page = models.CharField(max_length=32, help_text="Which table: board, ledger, ...")
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=2000, blank=True, help_text="The query string of the page.")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_views")
    is_shared = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)
        permissions = (("share_savedview", "Can share saved views with everybody"),)
        constraints = (
            models.UniqueConstraint("owner", "page", Upper("name"), name="inventory_savedview_name_once"),
            models.CheckConstraint(condition=~Q(name=""), name="inventory_savedview_name_not_empty"),
        )

    def __str__(self) -> str:
        return self.name
