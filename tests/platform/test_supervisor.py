"""The supervisor with small children of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from config.embedded.children import ChildSpec
from config.embedded.errors import AlreadyRunning, StartFailed
from config.embedded.places import ROOT, Places
from config.embedded.processes import is_alive
from config.embedded.supervisor import Supervisor, running_supervisor
from tests.platform.checkouts import wait_until

WORKING = "import sys, time; print('ready', flush=True); time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
)
NEVER_READY = "print('no settings found', flush=True); raise SystemExit(3)"
WITH_GRANDCHILD = (
    "import subprocess, time; child = subprocess.Popen(['sleep', '600']); print('ready', child.pid, flush=True); "
    "time.sleep(600)"
)


@pytest.fixture
def places(tmp_path) -> Places:
    return Places(var=tmp_path / "var")


def make_supervisor(places: Places, *, said: list[str] | None = None) -> Supervisor:
    return Supervisor(places=places, mode="test", say=(said if said is not None else []).append)


def make_child(name: str, script: str = WORKING, **changes) -> ChildSpec:
    values = {
        "name": name,
        "command": lambda: (sys.executable, "-c", script),
        "environment": dict(os.environ),
        "working_directory": ROOT,
        "is_ready": lambda child: "ready" in child.output(),
        "ready_timeout_seconds": 20,
        "stop_timeout_seconds": 5,
    }
    return ChildSpec(**{**values, **changes})


def pid_of(supervisor: Supervisor, name: str) -> int:
    return supervisor.places.state()["children"][name]["pid"]


def is_ready_again(places: Places, name: str) -> bool:
    child = places.state()["children"][name]
    return child["restarts"] == 1 and child["state"] == "ready"


def test_a_killed_child_is_started_again_and_its_neighbour_is_left_alone(places):
    said: list[str] = []
    with make_supervisor(places, said=said) as supervisor:
        supervisor.start(make_child("web"), make_child("worker"))
        web, worker = pid_of(supervisor, "web"), pid_of(supervisor, "worker")

        os.kill(web, signal.SIGKILL)
        supervisor.watch(until=lambda: is_ready_again(places, "web"))

        assert pid_of(supervisor, "web") != web
        assert pid_of(supervisor, "worker") == worker
        assert any(line.startswith("web killed by SIGKILL; it is started again") for line in said)


def test_what_a_killed_child_had_started_is_killed_with_it(places):
    with make_supervisor(places) as supervisor:
        supervisor.start(make_child("web", WITH_GRANDCHILD))
        log = places.log_directory / "web.log"
        grandchild = int(log.read_text().split("ready ")[1].split()[0])

        os.kill(pid_of(supervisor, "web"), signal.SIGKILL)
        supervisor.watch(until=lambda: places.state()["children"]["web"]["restarts"] == 1)

        wait_until(lambda: not is_alive(grandchild))


def test_a_child_that_ends_while_everything_starts_stops_the_start_with_the_end_of_its_log(places):
    with make_supervisor(places) as supervisor:
        supervisor.start(make_child("worker"))
        worker = pid_of(supervisor, "worker")
        with pytest.raises(StartFailed, match="web ended with code 3") as refusal:
            supervisor.start(make_child("web", NEVER_READY))

    assert "no settings found" in str(refusal.value)
    assert not is_alive(worker)


def test_a_child_that_fails_at_first_is_tried_again_for_its_time(places, tmp_path):
    mark = tmp_path / "mark"
    script = (
        f"import pathlib, time; p = pathlib.Path({str(mark)!r}); seen = p.exists(); p.touch(); assert seen; {WORKING}"
    )
    with make_supervisor(places) as supervisor:
        supervisor.start(make_child("postgres", script, retry_seconds=10))

        assert is_alive(pid_of(supervisor, "postgres"))


def test_children_stop_in_reverse_order_and_one_that_ignores_the_signal_is_killed(places):
    said: list[str] = []
    with make_supervisor(places, said=said) as supervisor:
        supervisor.start(make_child("postgres"))
        supervisor.start(make_child("web", STUBBORN, stop_timeout_seconds=0.3))
        pids = [pid_of(supervisor, "postgres"), pid_of(supervisor, "web")]

    assert [line for line in said if line.startswith("stops")] == ["stops web", "stops postgres"]
    assert [is_alive(pid) for pid in pids] == [False, False]
    assert places.state()["children"] == {}


def test_a_second_supervisor_of_the_same_checkout_is_refused(places):
    with (
        make_supervisor(places),
        pytest.raises(AlreadyRunning, match="already runs"),
        make_supervisor(places),
    ):
        pass

    assert running_supervisor(places) is None


def test_a_signal_ends_the_watch_and_the_command_in_the_foreground(places):
    with make_supervisor(places) as supervisor:
        supervisor.start(make_child("web"))
        process = subprocess.Popen(
            [sys.executable, "-c", f"import os, time; time.sleep(0.3); os.kill({os.getpid()}, 15)"]
        )
        began = time.monotonic()

        supervisor.watch(until=lambda: time.monotonic() - began > 30)

        assert time.monotonic() - began < 30
        process.wait()


def test_the_children_of_a_killed_supervisor_die_and_its_lock_is_free(places):
    script = f"""
from pathlib import Path
from tests.platform.test_supervisor import make_child, make_supervisor
from config.embedded.places import Places
with make_supervisor(Places(var=Path({str(places.var)!r}))) as supervisor:
    supervisor.start(make_child("web"), make_child("worker"))
    supervisor.note(ready=True)
    supervisor.watch()
"""
    process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
    wait_until(lambda: places.state_file.exists() and places.state().get("supervisor", {}).get("ready") is True)
    children = [child["pid"] for child in places.state()["children"].values()]

    process.kill()
    process.wait()

    wait_until(lambda: not any(is_alive(pid) for pid in children), seconds=10)
    assert len(children) == 2
    with make_supervisor(places):
        pass


def test_a_copied_state_file_of_another_checkout_is_not_ours(places):
    from config.embedded import postgres

    places.prepare()
    data = places.var / "elsewhere" / "postgres"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("18\n")
    original = places.var / "original"
    original.mkdir()
    state = {"var": str(original), "location": {"data_directory": str(data), "socket_directory": "/tmp/x"}}

    assert postgres._remembered_data_directory(places=places, state=state) is None
    assert postgres._remembered_data_directory(places=places, state={**state, "var": str(places.var)}) == data


def test_a_lock_file_that_names_another_program_does_not_keep_the_database_from_starting(tmp_path):
    from config.embedded import postgres

    location = postgres.Location(binaries=Path("/"), data_directory=tmp_path, socket_directory=tmp_path, account=None)
    lock = tmp_path / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{tmp_path}\n")

    postgres._remove_stale_locks(location)

    assert not lock.exists()
