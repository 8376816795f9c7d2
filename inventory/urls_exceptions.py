"""Addresses of the queue of exceptions, below /exceptions/."""

from django.urls import path

from inventory.views import exceptions

app_name = "exceptions"

urlpatterns = [
    path("", exceptions.exceptions, name="exceptions"),
    path("act/", exceptions.act_on_many, name="act_on_many"),
    path("report/", exceptions.report, name="report"),
    path("<int:pk>/", exceptions.exception, name="exception"),
    path("<int:pk>/act/", exceptions.act, name="act"),
]
