"""The tables whose changes are kept, found by themselves: every model with a history, and what the admin logs of the rest."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.apps import apps
from django.db.models import Field, ForeignKey, Model

LOG = "admin.logentry"
"""Kind of changes that only the admin's own log knows: people, roles, tokens, schedules."""
LOGGED_MODELS = (
    ("auth", "user"),
    ("auth", "group"),
    ("authtoken", "tokenproxy"),
    ("django_celery_beat", "periodictask"),
    ("django_celery_beat", "crontabschedule"),
    ("django_celery_beat", "intervalschedule"),
)
_TECHNICAL = frozenset(
    {"created_at", "updated_at", "path", "unit_numerator", "unit_denominator", "position", "created_by", "activated_at"}
)
"""Columns that follow from others or that the program keeps for itself."""
_SECRET_WORDS = ("credential", "secret", "token", "password")


@dataclass(frozen=True, slots=True)
class Linked:
    """A many-to-many field whose rows are kept with each version of the object."""

    name: str
    title: str
    table: str
    column: str
    target: str  # label of the model it leads to


@dataclass(frozen=True, slots=True)
class Owner:
    """A foreign key to what the object belongs to, such as the item of a pack."""

    target: str
    column: str


@dataclass(frozen=True, slots=True)
class Source:
    """One model with a history."""

    key: str  # inventory.item
    title: str
    model: type[Model]
    history: type[Model]
    table: str
    pk_column: str
    fields: Sequence["Field[Any, Any]"]
    owners: Sequence[Owner]
    linked: Sequence[Linked]


@cache
def sources() -> dict[str, Source]:
    """Every model with a history, by its label, in order."""
    found = [_source(model) for model in apps.get_models() if hasattr(model._meta, "simple_history_manager_attribute")]
    return {one.key: one for one in sorted(found, key=lambda each: each.key)}


def kind_titles() -> list[tuple[str, str]]:
    """Kinds to choose from, by title."""
    kinds = [(one.key, one.title) for one in sources().values()]
    return [*sorted(kinds, key=lambda pair: pair[1]), (LOG, "People, roles and schedules")]


def _source(model: type[Model]) -> Source:
    manager = getattr(model, model._meta.simple_history_manager_attribute)  # type: ignore[attr-defined]
    history = manager.model
    fields = [field for field in history.tracked_fields if _is_told(field)]
    owners = [
        Owner(field.related_model._meta.label_lower, str(field.column))
        for field in history.tracked_fields
        if isinstance(field, ForeignKey) and field.name == field.related_model._meta.model_name
    ]
    linked = []
    for field in history._history_m2m_fields:
        through = manager.model._meta.apps.get_model(model._meta.app_label, f"{history.__name__}_{field.name}")
        reverse = through._meta.get_field(field.m2m_reverse_field_name())
        linked.append(
            Linked(
                field.name,
                _title(field),
                through._meta.db_table,
                reverse.column,
                field.related_model._meta.label_lower,
            )
        )
    return Source(
        key=model._meta.label_lower,
        title=_capital(str(model._meta.verbose_name)),
        model=model,
        history=history,
        table=history._meta.db_table,
        pk_column=str(model._meta.pk.column),
        fields=fields,
        owners=owners,
        linked=linked,
    )


def _is_told(field: "Field[Any, Any]") -> bool:
    name = field.name
    is_secret = any(word in name for word in _SECRET_WORDS)
    return not field.primary_key and name not in ("id", *_TECHNICAL) and not is_secret


def _title(field: Any) -> str:
    return _capital(str(field.verbose_name))


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
