"""Servers in the background for as long as some command uses them.

Each command holds a shared lock. The supervisor of the servers is a process of its own; it stops them when nobody holds
the lock any more, also after a command was killed, unless `up` asked to keep them.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from config.embedded.errors import AlreadyRunning, EmbeddedError
from config.embedded.places import ROOT, Places
from config.embedded.processes import dies_with_parent, is_alive
from config.embedded.servers import environment_for_commands, start_servers, wanted_servers
from config.embedded.supervisor import StopRequested, Supervisor, running_supervisor, take_lock, users_lock

START_SECONDS_MAX = 180.0
STOP_SECONDS_MAX = 60.0


def serve(*, places: Places, say: Callable[[str], None]) -> None:
    """Be the supervisor of the servers until they are unused or a signal comes."""
    with Supervisor(places=places, mode="servers", say=say) as supervisor:
        try:
            start_servers(supervisor)
            supervisor.note(ready=True)
            supervisor.watch(until=lambda: _is_unused(places))
        except StopRequested:
            pass
        supervisor.note(servers_ready=False, ready=False)


def run(*, places: Places, command: Sequence[str]) -> int:
    """Run `command` with the servers up and their addresses in its environment. Returns its exit code."""
    places.prepare()
    users = _join(places)
    try:
        ensure_servers(places=places)
        environment = environment_for_commands(places)
        return _run_in_terminal(command, environment=environment)
    finally:
        os.close(users)
        _stop_if_last(places)


def up(*, places: Places) -> None:
    """Start the servers and keep them until `stop`."""
    places.prepare()
    _keep_file(places).touch()
    users = _join(places)
    try:
        ensure_servers(places=places)
    finally:
        os.close(users)


def stop(*, places: Places, say: Callable[[str], None]) -> bool:
    """Stop the supervisor of this checkout and with it all its processes. Returns whether one was running."""
    _keep_file(places).unlink(missing_ok=True)
    if running_supervisor(places) is None:
        return False
    pid = _wait_for_pid(places)
    say(f"stops the supervisor (pid {pid}) and its processes")
    os.kill(pid, signal.SIGTERM)
    if not _wait_until(lambda: running_supervisor(places) is None, seconds=STOP_SECONDS_MAX):
        raise EmbeddedError(f"The supervisor did not stop within {STOP_SECONDS_MAX:.0f} s; see {places.log_directory}.")
    return True


def ensure_servers(*, places: Places) -> None:
    """Return when the servers of this checkout accept connections; start them in the background if need be."""
    if not wanted_servers():
        return
    deadline = time.monotonic() + START_SECONDS_MAX
    starter: subprocess.Popen[bytes] | None = None
    log = places.log_directory / "supervisor.log"
    while time.monotonic() < deadline:
        known = running_supervisor(places)
        if known is not None and known["servers_ready"]:
            return
        if known is None:
            if starter is None:
                starter = _spawn_supervisor(places=places, log=log)
            elif starter.poll() is not None and running_supervisor(places) is None:
                raise EmbeddedError(f"The embedded servers did not start. The end of {log}:\n{_tail(log, lines=30)}")
        time.sleep(0.05)
    raise EmbeddedError(f"The embedded servers were not ready after {START_SECONDS_MAX:.0f} s; see {log}.")


def _spawn_supervisor(*, places: Places, log: Path) -> "subprocess.Popen[bytes]":
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "config.embedded", "serve"],
            cwd=ROOT,
            env={**os.environ, "BACKFLUSH_VAR": str(places.var)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _run_in_terminal(command: Sequence[str], *, environment: dict[str, str]) -> int:
    """Run `command` as if typed: Ctrl-C reaches it directly, SIGTERM is passed on, and it ends if we are killed."""
    try:
        process = subprocess.Popen(
            command,
            env=environment,
            preexec_fn=dies_with_parent(signal.SIGTERM),  # noqa: PLW1509 - there are no threads
        )
    except FileNotFoundError as error:
        raise EmbeddedError(f"There is no program {command[0]!r} to run. Give its path, or install it.") from error
    earlier = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN),
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: process.terminate()),
    }
    try:
        code = process.wait()
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code


def refuse_if_running(places: Places) -> None:
    """Raises AlreadyRunning when a supervisor looks after this checkout."""
    if running_supervisor(places) is not None:
        raise AlreadyRunning(f"Backflush already runs for {places.var}.")


def retire_unused(places: Places) -> None:
    """Stop background servers that no command uses, so that another supervisor can take their place."""
    alone = take_lock(users_lock(places), exclusive=True, seconds=0)
    if alone is not None:
        os.close(alone)
        known = running_supervisor(places)
        if known is not None and known["mode"] == "servers":
            stop(places=places, say=lambda _: None)


def _join(places: Places) -> int:
    """Hold the lock of those who use the servers. Waits while the last ones are being stopped."""
    users = take_lock(users_lock(places), exclusive=False, seconds=STOP_SECONDS_MAX)
    if users is None:
        raise EmbeddedError(
            f"The servers of {places.var} have been stopping for {STOP_SECONDS_MAX:.0f} s. Run `make stop`."
        )
    return users


def _stop_if_last(places: Places) -> None:
    """Stop the background servers when no other command uses them. Newcomers wait meanwhile."""
    alone = take_lock(users_lock(places), exclusive=True, seconds=0)
    if alone is None:
        return
    try:
        known = running_supervisor(places)
        if known is None or known["mode"] != "servers" or known["pid"] is None or _keep_file(places).exists():
            return
        try:
            os.kill(known["pid"], signal.SIGTERM)
        except ProcessLookupError:
            return
        _wait_until(lambda: running_supervisor(places) is None, seconds=STOP_SECONDS_MAX)
    finally:
        os.close(alone)


def _is_unused(places: Places) -> bool:
    if _keep_file(places).exists():
        return False
    alone = take_lock(users_lock(places), exclusive=True, seconds=0)
    if alone is None:
        return False
    os.close(alone)
    return True


def _keep_file(places: Places) -> Path:
    return places.run_directory / "keep"


def _wait_for_pid(places: Places) -> int:
    """The process number of a supervisor that has just taken its lock."""
    found: list[int] = []

    def look() -> bool:
        known = running_supervisor(places)
        if known is not None and known["pid"] is not None and is_alive(known["pid"]):
            found.append(known["pid"])
        return bool(found)

    if not _wait_until(look, seconds=5):
        raise EmbeddedError("The supervisor of this checkout cannot be found. Try again in a few seconds.")
    return found[0]


def _wait_until(question: Callable[[], bool], *, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if question():
            return True
        time.sleep(0.05)
    return question()


def _tail(path: Path, *, lines: int) -> str:
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
