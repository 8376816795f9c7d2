"""The form of a channel's source locations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.db.models import Q

from channels_sync.models import Channel
from inventory.models import Location


class SourcesForm(forms.Form):
    """The places whose stock a channel offers: sites to tick, and parts of sites by their codes."""

    places = forms.ModelMultipleChoiceField(
        Location.objects.none(),
        label="Source locations",
        required=False,
        help_text="None ticked: every sellable site, except those a sales channel keeps for itself.",
        widget=forms.CheckboxSelectMultiple,
    )
    codes = forms.CharField(
        label="Others by code", required=False, max_length=1000, help_text="Areas or bins, separated by commas."
    )

    def __init__(self, data: Any = None, *, channel: Channel) -> None:
        chosen = list(channel.source_locations.values_list("pk", flat=True))
        super().__init__(data, initial={"places": chosen})
        sites = Location.objects.filter(Q(parent__isnull=True, is_active=True) | Q(pk__in=chosen))
        self.fields["places"].queryset = sites.order_by("path")  # type: ignore[attr-defined]

    def clean_codes(self) -> list[Location]:
        wanted = {
            code.strip().casefold(): code.strip() for code in self.cleaned_data["codes"].split(",") if code.strip()
        }
        query = Q(pk__in=[])
        for code in wanted:
            query |= Q(code__iexact=code)
        found = list(Location.objects.filter(query, is_active=True))
        missing = sorted(wanted[code] for code in wanted.keys() - {place.code.casefold() for place in found})
        if missing:
            raise forms.ValidationError(f"There is no active location {', '.join(missing)}. Correct the code.")
        return found

    @property
    def chosen(self) -> Sequence[Location]:
        """All of them. The form must be valid."""
        found = {place.pk: place for place in (*self.cleaned_data["places"], *self.cleaned_data["codes"])}
        return list(found.values())

    @property
    def print(self) -> str:
        """What was looked at."""
        return ",".join(str(pk) for pk in sorted(place.pk for place in self.chosen)) or "every site"
