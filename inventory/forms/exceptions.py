"""Forms of the queue of exceptions."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django import forms
from django.contrib.auth.models import User
from django.utils import timezone

SNOOZES = (("4h", "4 hours"), ("1d", "Until tomorrow"), ("3d", "3 days"), ("7d", "A week"), ("30d", "A month"))
_SPANS = {
    "4h": timedelta(hours=4),
    "1d": timedelta(days=1),
    "3d": timedelta(days=3),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
DO = ("take", "release", "assign", "snooze", "wake", "resolve", "reopen", "note")


def snooze_until(span: str, *, at: datetime | None = None) -> datetime | None:
    """When something put away for a span comes back; None for a span that is none."""
    found = _SPANS.get(span)
    return None if found is None else (at or timezone.now()) + found


class ProblemForm(forms.Form):
    """What a person saw, in their own words."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    title = forms.CharField(
        label="What is wrong?", max_length=200, widget=forms.TextInput(attrs={"data-focus": "", "autocomplete": "off"})
    )
    words = forms.CharField(
        label="More about it",
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Where, since when, what you tried. Somebody will read it.",
    )
    about = forms.CharField(
        label="About", required=False, max_length=120, help_text="An item, a lot, an order, a place or a count."
    )
    url = forms.CharField(required=False, max_length=300, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.is_bound:
            self.initial.setdefault("key", str(uuid4()))

    def clean_url(self) -> str:
        """Only addresses of our own pages are kept."""
        url: str = self.cleaned_data["url"]
        return url if url.startswith("/") and not url.startswith(("//", "/\\")) else ""


def people() -> list[User]:
    """Who a case can be given to, by name."""
    return list(User.objects.filter(is_active=True, is_staff=True).order_by("username")[:200])
