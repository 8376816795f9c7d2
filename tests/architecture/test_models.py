"""Rules about rows: named for what they say, and known to the database."""

import re

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection, models

APPS = ("inventory", "production", "channels_sync")
OURS = [
    model
    for label in APPS
    for model in apps.get_app_config(label).get_models()
    if not model.__name__.startswith("Historical")
]


def names_of(model):
    """What a rule of the model may be named after: its name in one word, or the last word of it."""
    last_word = re.findall(r"[A-Z][a-z0-9]*", model.__name__)[-1].lower()
    return (model._meta.model_name, last_word)


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_constraints_and_indexes_are_named_app_model_rule(model):
    starts = tuple(f"{model._meta.app_label}_{name}_" for name in names_of(model))
    named = [rule.name for rule in (*model._meta.constraints, *model._meta.indexes)]

    assert [name for name in named if not re.fullmatch(r"[a-z0-9_]+", name) or not name.startswith(starts)] == []


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_the_class_says_what_one_row_is(model):
    written = (model.__doc__ or "").strip()

    assert written
    assert not written.startswith(f"{model.__name__}("), "Django's own words"


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_quantities_and_money_are_exact(model):
    floats = [field.name for field in model._meta.get_fields() if isinstance(field, models.FloatField)]

    assert floats == []


@pytest.mark.django_db
@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_every_rule_of_the_model_is_in_the_database(model):
    with connection.cursor() as cursor:
        known = set(connection.introspection.get_constraints(cursor, model._meta.db_table))

    assert {rule.name for rule in (*model._meta.constraints, *model._meta.indexes)} - known == set()


@pytest.mark.django_db
def test_no_migration_is_missing():
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)
