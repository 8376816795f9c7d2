"""Settings behind a figure in words, each with the rule that set it."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse
from django.utils import timezone

from channels_sync.allocation.shaping import Setting
from channels_sync.allocation.vocabulary import BY_TERM, CHOICE, CHOICES, DATE, QUANTITY
from inventory.templatetags.figures import grouped


@dataclass(frozen=True, slots=True)
class WhySetting:
    """A setting with its value, the rule that set it (`scope` is its level, `url` leads to it), and what it did."""

    label: str
    value: str
    scope: str = ""
    rule: str = ""
    url: str = ""
    note: str = ""
    of: str = ""
    """The other listing whose setting it is; empty: of this one."""

    @property
    def is_set(self) -> bool:
        return bool(self.scope)


def in_words(one: Setting, unit: str, *, of: str = "") -> WhySetting:
    """A setting in words; where no rule set it, `scope` stays empty and the page says that the default applies."""
    spec, rule = BY_TERM[one.name], one.term.rule
    value = one.term.value
    if value is None:
        shown = "no limit"
    elif spec.kind == CHOICE:
        shown = dict(CHOICES[spec.column])[value]
        shown = shown[:1].lower() + shown[1:]
    elif spec.kind == DATE:
        shown = f"{value:%d %b %Y}"
    else:
        behind = unit if spec.kind == QUANTITY else "days" if one.name.endswith("_days") else spec.unit
        shown = f"{grouped(value)} {behind}".rstrip()
    if not one.is_set:
        return WhySetting(spec.label, shown, note=one.note, of=of)
    said = [] if rule.policy_id is None else [f"version {rule.version}"]
    if rule.author:
        said.append(f"by {rule.author}")
    if rule.since is not None:
        said.append(f"since {timezone.localtime(rule.since):%d %b %Y %H:%M}")
    return WhySetting(
        spec.label,
        shown,
        scope=f"campaign {rule.campaign}: {rule.scope}" if rule.campaign else rule.scope,
        rule=", ".join(said),
        url=reverse("channels_sync:policy", args=[rule.policy_id]) if rule.policy_id is not None else "",
        note=one.note,
        of=of,
    )
