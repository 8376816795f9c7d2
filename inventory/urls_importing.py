"""Addresses of the import pages, below /import/."""

from django.urls import path

from inventory.views import importing

urlpatterns = [
    path("", importing.imports, name="imports"),
    path("<slug:name>/", importing.import_table, name="import_table"),
    path("<slug:name>/template/", importing.template, name="import_template"),
    path("<slug:name>/export/", importing.export, name="export_table"),
]
