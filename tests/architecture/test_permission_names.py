"""Permissions are asked for by name: each name exists, and each that is special is somebody's."""

import re

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission

from config.embedded.places import ROOT

APPS = ("inventory", "production", "channels_sync")
_IN_CODE = re.compile(r"\"((?:inventory|production|channels_sync)\.(?:add|change|delete|view)_[a-z]+)\"")
_IN_TEMPLATES = re.compile(r"perms\.((?:inventory|production|channels_sync)\.[a-z_]+)")
_ASKED = re.compile(
    r"(?:permission_required|has_perm|Endpoint|permission=|permissions=)\(?\"((?:inventory|production|channels_sync)\.[a-z_]+)\""
)
ADMINISTRATORS_ONLY = {
    "inventory.backdate_posting",
    "inventory.close_period",
    "inventory.correct_cost",
    "inventory.go_negative",
}
"""Special permissions that at first no role has but the administrator's."""

pytestmark = pytest.mark.django_db


def asked():
    """Every permission named in code or templates, with a file that names it."""
    found = {}
    for folder in (*APPS, "config"):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            for name in (*_IN_CODE.findall(text), *_ASKED.findall(text)):
                found[name] = str(path.relative_to(ROOT))
    for path in (ROOT / "templates").rglob("*.html"):
        for name in _IN_TEMPLATES.findall(path.read_text(encoding="utf-8")):
            found[name] = str(path.relative_to(ROOT))
    return found


def there_are():
    rows = Permission.objects.filter(content_type__app_label__in=APPS)
    return {f"{label}.{codename}" for label, codename in rows.values_list("content_type__app_label", "codename")}


def test_every_permission_that_is_asked_for_exists():
    names = asked()

    assert len(names) > 40
    assert {name: where for name, where in names.items() if name not in there_are()} == {}


def test_every_special_permission_is_granted_to_a_role():
    special = {
        f"{model._meta.app_label}.{codename}"
        for label in APPS
        for model in apps.get_app_config(label).get_models()
        for codename, _ in model._meta.permissions
    }
    granted = {
        f"{label}.{codename}"
        for group in Group.objects.exclude(name="administrator")
        for label, codename in group.permissions.values_list("content_type__app_label", "codename")
    }
    whole = {
        f"{label}.{codename}"
        for label, codename in Group.objects.get(name="administrator").permissions.values_list(
            "content_type__app_label", "codename"
        )
    }

    assert special - whole == set()
    assert special - granted == ADMINISTRATORS_ONLY
