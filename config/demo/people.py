"""Users of the demo company, one for each role, with passwords of this checkout alone."""

import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import Group, User
from rest_framework.authtoken.models import Token

ROLES = ("viewer", "counter", "operator", "planner", "approver", "administrator")
FILE_NAME = "demo_logins.json"


@dataclass(frozen=True, slots=True)
class Logins:
    """How people and programs get in. Kept in a file that only its owner may read."""

    passwords: dict[str, str] = field(repr=False)
    api_token: str = field(repr=False)
    path: Path


def ensure_people() -> Logins:
    """Make the users that are missing; a password in the file that still works is kept, else a new one is set."""
    path = Path(settings.VAR_DIR) / FILE_NAME
    known = _read(path)
    passwords: dict[str, str] = {}
    for role in ROLES:
        user, _ = User.objects.get_or_create(username=role, defaults={"is_staff": True})
        password = known.get(role, "")
        if not password or not user.check_password(password):
            password = secrets.token_urlsafe(9)
            user.set_password(password)
            user.is_staff = True
            user.save()
        user.groups.add(Group.objects.get(name=role))
        passwords[role] = password
    token, _ = Token.objects.get_or_create(user=User.objects.get(username="administrator"))
    logins = Logins(passwords, token.key, path)
    _write(logins)
    return logins


def _read(path: Path) -> dict[str, str]:
    try:
        users = json.loads(path.read_text(encoding="utf-8"))["users"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return {}
    return {str(one["username"]): str(one["password"]) for one in users}


def _write(logins: Logins) -> None:
    content = {
        "users": [{"username": name, "password": password} for name, password in logins.passwords.items()],
        "api_token": logins.api_token,
    }
    logins.path.parent.mkdir(parents=True, exist_ok=True)
    draft = logins.path.with_name(f".{logins.path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
    draft.replace(logins.path)
