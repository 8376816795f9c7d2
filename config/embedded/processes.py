"""Facts about processes, and the promise that a child does not outlive its supervisor."""

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def dies_with_parent(death_signal: signal.Signals) -> Callable[[], None]:
    """A function to run in the child between fork and exec: it gets `death_signal` as soon as its parent is gone.

    The kernel watches the *thread* that forked, so children must be started from the main thread. Linux only;
    elsewhere nothing is arranged, and the next start cleans up.
    """
    parent = os.getpid()

    def arrange() -> None:
        if _LIBC is None:
            return
        _LIBC.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:  # the parent died before the line above
            os.kill(os.getpid(), signal.SIGKILL)

    return arrange


def is_alive(pid: int) -> bool:
    """Whether `pid` runs. A zombie does not: in a container nobody may ever collect it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    fields = _stat_fields(pid)
    return fields is None or fields[0] not in ("Z", "X")


def started_ticks(pid: int) -> int | None:
    """When `pid` was started, in clock ticks since boot; tells a process from a later one with the same number."""
    fields = _stat_fields(pid)
    return int(fields[19]) if fields is not None else None


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def kill_group(pid: int) -> None:
    """Kill what is left of the process group led by `pid`."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody is left, or the number is another's by now
        os.killpg(pid, signal.SIGKILL)


def _stat_fields(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat after the command name: state first. None where there is no such file."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()
