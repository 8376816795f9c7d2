"""The embedded servers through the command line: crash, kill, neighbours, rights. Real processes, no Django."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import psycopg
import pytest

from config.embedded import accounts
from config.embedded.places import ROOT
from config.embedded.processes import is_alive
from tests.platform.checkouts import Checkout, wait_until

IS_ROOT = os.getuid() == 0


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Iterator[Checkout]:
    """Servers that stay up for the whole module. For root, pytest's folder is one that only root may enter."""
    checkout = Checkout(var=tmp_path_factory.mktemp("first") / "var")
    checkout.do("up")
    yield checkout
    checkout.remove()


@pytest.mark.parametrize("kill", ["server alone", "server and every backend"])
def test_rows_acknowledged_before_a_kill_of_the_database_are_there_after_it(checkout, kill):
    before = checkout.state()["children"]["postgres"]
    with checkout.connect() as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS receipt (number bigint PRIMARY KEY)")
        first = connection.execute("SELECT coalesce(max(number), 0) + 1 FROM receipt").fetchone()[0]
        backends = [row[0] for row in connection.execute("SELECT pid FROM pg_stat_activity").fetchall()]
    victims = [before["pid"]] if kill == "server alone" else [before["pid"], *backends]

    acknowledged = _insert_until_the_server_is_gone(checkout, first=first, victims=victims)
    wait_until(lambda: _restarts(checkout, "postgres") > before["restarts"], seconds=60)

    with checkout.connect() as connection:
        found = connection.execute("SELECT count(*), max(number) FROM receipt").fetchone()
    assert acknowledged > first
    assert found in ((acknowledged, acknowledged), (acknowledged + 1, acknowledged + 1))  # the last answer may be lost


def test_a_killed_broker_comes_back_on_the_same_address(checkout):
    before = checkout.status()

    os.kill(before["children"]["valkey"]["pid"], signal.SIGKILL)

    wait_until(lambda: _restarts(checkout, "valkey") > before["children"]["valkey"]["restarts"])
    after = checkout.status()
    assert after["children"]["valkey"]["pid"] != before["children"]["valkey"]["pid"]
    assert after["addresses"]["REDIS_URL"] == before["addresses"]["REDIS_URL"]


def test_crash_safety_is_switched_on_and_there_is_no_network_port(checkout):
    names = ("fsync", "full_page_writes", "synchronous_commit", "listen_addresses", "server_encoding")
    with checkout.connect() as connection:
        settings = [connection.execute(f"SHOW {name}").fetchone()[0] for name in names]

    assert settings == ["on", "on", "on", "", "UTF8"]


def test_the_application_may_write_rows_but_not_change_or_empty_tables_also_in_databases_made_later(checkout):
    with checkout.connect() as owner:
        owner.execute("DROP DATABASE IF EXISTS later")
        owner.execute("CREATE DATABASE later")
    addresses = checkout.addresses()
    with psycopg.connect(addresses["DATABASE_OWNER_URL"], dbname="later", autocommit=True) as owner:
        owner.execute("CREATE TABLE item (id bigint GENERATED ALWAYS AS IDENTITY, sku text)")

    with psycopg.connect(addresses["DATABASE_URL"], dbname="later", autocommit=True) as application:
        application.execute("INSERT INTO item (sku) VALUES ('WAX')")
        application.execute("UPDATE item SET sku = 'BEESWAX'")
        for statement in (
            "TRUNCATE item",
            "ALTER TABLE item ADD colour text",
            "DROP TABLE item",
            "CREATE TABLE x (y int)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                application.execute(statement)
        rows = application.execute("SELECT sku FROM item").fetchall()

    assert rows == [("BEESWAX",)]


def test_a_wrong_password_is_refused(checkout):
    address = checkout.addresses()["DATABASE_URL"]

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(address, password="guessed")


def test_the_socket_lies_in_a_private_directory_and_secrets_are_private(checkout):
    socket_directory = Path(checkout.state()["location"]["socket_directory"])

    assert socket_directory.stat().st_mode & 0o777 == 0o700
    assert len(str(socket_directory / ".s.PGSQL.5432")) < 107
    assert (checkout.var / "embedded_secrets.json").stat().st_mode & 0o777 == 0o600
    assert (checkout.var / "valkey" / "valkey.conf").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(not IS_ROOT, reason="only root has folders that PostgreSQL's account may not enter")
def test_below_a_folder_only_root_may_enter_the_data_lies_outside_and_no_folder_is_opened(checkout):
    location = checkout.state()["location"]
    closed = [folder for folder in checkout.var.parents if folder.name.startswith("pytest-of")]

    assert not Path(location["data_directory"]).is_relative_to(checkout.var)
    assert Path(location["data_directory"]).stat().st_uid == pwd.getpwnam(location["account"]).pw_uid
    assert [folder.stat().st_mode & 0o077 for folder in closed] == [0]


def test_a_second_checkout_runs_beside_the_first_and_shares_nothing(checkout, tmp_path):
    second = Checkout(var=tmp_path / "var")
    second.do("up")

    try:
        one, other = checkout.state(), second.state()
        with checkout.connect() as connection:
            connection.execute("CREATE TABLE only_here (id int)")
        with second.connect() as connection:
            found = connection.execute("SELECT to_regclass('only_here')").fetchone()

        assert found == (None,)
        assert one["ports"]["valkey"] != other["ports"]["valkey"]
        assert one["location"]["socket_directory"] != other["location"]["socket_directory"]
        assert one["location"]["data_directory"] != other["location"]["data_directory"]
    finally:
        second.remove()


def test_a_command_gets_the_addresses_its_exit_code_comes_back_and_what_was_started_is_stopped(tmp_path):
    checkout = Checkout(var=tmp_path / "var")
    script = "import os, sys; print(os.environ['DATABASE_URL'], os.environ['REDIS_URL']); sys.exit(7)"

    try:
        code, output = checkout.call("run", "--", sys.executable, "-c", script)

        assert code == 7
        assert output.startswith("postgresql://backflush_app:")
        assert checkout.supervisor() is None
    finally:
        checkout.remove()


def test_servers_stay_for_the_longer_of_two_commands_and_children_die_with_a_killed_supervisor(tmp_path):
    checkout = Checkout(var=tmp_path / "var")
    longer = checkout.popen("run", "--", "sleep", "60")

    try:
        wait_until(checkout.servers_are_ready)
        checkout.do("run", "--", "true")
        state = checkout.state()
        assert checkout.servers_are_ready()

        children = [child["pid"] for child in state["children"].values()]
        os.kill(state["supervisor"]["pid"], signal.SIGKILL)
        wait_until(lambda: not any(is_alive(pid) for pid in children))
        assert checkout.do("run", "--", "echo", "works again").endswith("works again\n")
    finally:
        longer.terminate()
        longer.wait(timeout=30)
        checkout.remove()


def test_servers_stop_when_the_only_command_that_used_them_was_killed(tmp_path):
    checkout = Checkout(var=tmp_path / "var")
    command = checkout.popen("run", "--", "sleep", "60")

    try:
        wait_until(checkout.servers_are_ready)
        command.kill()
        command.wait()

        wait_until(lambda: checkout.supervisor() is None)
    finally:
        checkout.remove()


@pytest.mark.skipif(not IS_ROOT, reason="this run is by a normal user already")
def test_a_normal_user_keeps_everything_below_var():
    account = accounts.server_account(data_directory=None)
    python, library = _python_for(account)
    home = Path(tempfile.mkdtemp(prefix="backflush-user-", dir="/var/tmp"))
    os.chown(home, account.uid, account.gid)
    checkout = Checkout(var=home / "var", python=python, uid=account.uid, library=library)

    try:
        output = checkout.do("run", "--", python, "-m", "config.embedded", "psql", "--", "-Atc", "SELECT current_user")
        location = checkout.state()["location"]

        assert output.splitlines()[-1] == "backflush_app"
        assert location["account"] is None
        assert Path(location["data_directory"]) == checkout.var / "postgres"
        assert {path.stat().st_uid for path in checkout.var.rglob("*")} == {account.uid}
    finally:
        checkout.remove()
        shutil.rmtree(home)


def _restarts(checkout: Checkout, name: str) -> int:
    """How often the child was restarted; -1 while it is not ready."""
    child = checkout.state()["children"][name]
    return child["restarts"] if child["state"] == "ready" else -1


def _insert_until_the_server_is_gone(checkout: Checkout, *, first: int, victims: list[int]) -> int:
    """Insert numbers one by one, kill `victims` after half a second, return the last number that was acknowledged."""
    acknowledged = first - 1
    with checkout.connect() as connection:
        victims = [*victims, connection.info.backend_pid] if len(victims) > 1 else victims
        killer = Timer(0.5, _kill, [victims])
        killer.start()
        try:
            while True:
                connection.execute("INSERT INTO receipt VALUES (%s)", (acknowledged + 1,))
                acknowledged += 1
        except psycopg.OperationalError:
            killer.join()
    return acknowledged


def _kill(pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # it saw its server die first
            os.kill(pid, signal.SIGKILL)


def _python_for(account: accounts.Account) -> tuple[str, str]:
    """A Python that `account` may run and the packages for it; skips where there is none."""
    library = str(Path(psycopg.__file__).parents[1])
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        environment = {"PYTHONPATH": library, "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
        script = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import config.embedded.__main__"
        try:
            done = accounts.run_as(account, [python, "-c", script], environment=environment)
        except (OSError, subprocess.SubprocessError):
            continue
        if done.returncode == 0:
            return python, library
    pytest.skip(f"no Python here can be run by {account.name}: this checkout lies below a folder only root may enter")
