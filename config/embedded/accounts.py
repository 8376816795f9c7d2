"""Which operating-system account runs PostgreSQL, which refuses to be run by root."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from config.embedded.errors import EmbeddedError

ACCOUNT_NAME = "backflush-db"


@dataclass(frozen=True, slots=True)
class Account:
    """An unprivileged account that root lends to PostgreSQL."""

    name: str
    uid: int
    gid: int

    @classmethod
    def named(cls, name: str) -> "Account | None":
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            return None
        return cls(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)

    @classmethod
    def owning(cls, path: Path) -> "Account | None":
        """The account that owns `path`, unless that is root or nobody knows it any more."""
        try:
            entry = pwd.getpwuid(path.stat().st_uid)
        except (FileNotFoundError, KeyError):
            return None
        return cls(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid) if entry.pw_uid != 0 else None


def server_account(*, data_directory: Path | None) -> Account | None:
    """The account for PostgreSQL when we are root, None when we are a normal user and PostgreSQL runs as ourselves.

    A cluster that exists keeps the account that owns it. Else `backflush-db` is used, and made where it is missing;
    where no account can be made, `nobody`.
    """
    if os.getuid() != 0:
        return None
    if data_directory is not None and (owner := Account.owning(data_directory)) is not None:
        return owner
    account = Account.named(ACCOUNT_NAME) or _make_account() or Account.named("nobody")
    if account is None:
        raise EmbeddedError(
            "PostgreSQL refuses to run as root, and no other account could be found or made. "
            f"Make one with `useradd --system {ACCOUNT_NAME}`, or set DATABASE_URL to a database of your own."
        )
    return account


def _make_account() -> Account | None:
    recipes: list[list[str]] = [
        f"useradd --system --user-group --no-create-home --shell /usr/sbin/nologin {ACCOUNT_NAME}".split(),
        f"adduser -S -D -H -s /sbin/nologin {ACCOUNT_NAME}".split(),  # BusyBox
    ]
    for recipe in recipes:
        program = shutil.which(recipe[0], path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        if program is None:
            continue
        subprocess.run([program, *recipe[1:]], check=False, capture_output=True)
        if (account := Account.named(ACCOUNT_NAME)) is not None:  # perhaps made by a second start at the same moment
            return account
    return None


def run_as(
    account: Account | None, command: Sequence[str | Path], *, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run `command` to its end as `account` (None: as ourselves) from the root directory, which everybody may enter."""
    return subprocess.run(
        [str(word) for word in command],
        check=False,
        capture_output=True,
        text=True,
        cwd="/",
        env=environment,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        umask=0o077,
    )


def can_enter(account: Account | None, directory: Path) -> bool:
    """Whether `account` may pass through `directory` and every folder above it."""
    done = run_as(account, ["/bin/sh", "-c", 'cd -- "$1"', "sh", directory], environment={"PATH": "/usr/bin:/bin"})
    return done.returncode == 0
