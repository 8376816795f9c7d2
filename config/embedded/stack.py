"""The whole product on one machine: servers, sandbox shop, web, worker and scheduler under one supervisor."""

import http.client
import os
import shlex
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import environ

from config.embedded import background, postgres
from config.embedded.children import Child, ChildSpec
from config.embedded.errors import EmbeddedError
from config.embedded.places import ROOT, Places
from config.embedded.servers import assign_port, environment_for_commands, start_servers
from config.embedded.supervisor import StopRequested, Supervisor

WEB_WORKERS, WEB_THREADS = 4, 2
"""Rather processes than threads: of the threads of a process only one runs Python at a time."""
TASK_PROCESSES = 2
READY_WITHOUT_A_WORD_SECONDS = 10  # a quiet log level hides the line that says a worker is ready
INTERRUPTED = 130  # what a shell reports for a command ended by Ctrl-C


def demo(*, places: Places, say: Callable[[str], None], port: int | None, fresh: bool, command: str | None) -> int:
    """Start everything, then run `command` to its end, or serve until a signal comes. Returns the exit code.

    `fresh` first removes everything an earlier start left in `var`.
    """
    places.prepare()
    if fresh:
        _refuse_other_servers()
        background.refuse_if_running(places)
        destroy(places)
        places.prepare()
    background.retire_unused(places)
    began = time.monotonic()
    with Supervisor(places=places, mode="demo", say=say) as supervisor:
        try:
            listener = _start_all(supervisor, port=port)
            address = supervisor.state["addresses"]["web"]
            supervisor.note(ready=True)
            with listener:
                if command is not None:
                    return supervisor.run(
                        shlex.split(command),
                        environment=product_environment(places),
                        working_directory=ROOT,
                    )
                say(f"started in {time.monotonic() - began:.1f} s")
                say(f"Open {address} (log-ins: {places.var / 'demo_logins.json'}; Ctrl-C stops everything)")
                supervisor.watch()
        except StopRequested:
            return INTERRUPTED
        finally:
            supervisor.state.pop("addresses", None)
    return 0


def _refuse_other_servers() -> None:
    named = [name for name in ("DATABASE_URL", "REDIS_URL") if os.environ.get(name)]
    if named:
        raise EmbeddedError(
            f"{' and '.join(named)} is set, and a fresh start would fill that server with throw-away data. "
            "Take it out of the environment and of .env; the embedded servers are used then."
        )


def destroy(places: Places) -> list[Path]:
    """Remove everything in `var`, the database outside of it included. Nothing may run. Returns what was removed.

    The lock files stay: somebody may be waiting for them.
    """
    background.refuse_if_running(places)
    removed = postgres.destroy(places=places, state=places.state())
    if places.var.exists():
        for path in places.var.iterdir():
            if path == places.run_directory:
                continue
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            removed.append(path)
    return removed


def product_environment(places: Places) -> dict[str, str]:
    """The environment of every process of the product."""
    state = places.state()
    addresses = state.get("addresses", {})
    return {
        "DJANGO_SETTINGS_MODULE": "config.settings.dev",
        **environment_for_commands(places),
        "PYTHONUNBUFFERED": "1",
        **({"BACKFLUSH_BASE_URL": addresses["web"]} if "web" in addresses else {}),
        **({"SANDBOX_SHOP_URL": addresses["sandbox"]} if "sandbox" in addresses else {}),
    }


def _start_all(supervisor: Supervisor, *, port: int | None) -> socket.socket:
    places = supervisor.places
    start_servers(supervisor)
    sandbox_port = assign_port(supervisor, "sandbox")
    listener = _listen(supervisor, port=port)
    supervisor.state["addresses"] = {
        "web": f"http://127.0.0.1:{listener.getsockname()[1]}",
        "sandbox": f"http://127.0.0.1:{sandbox_port}",
    }
    supervisor.write_state()

    environment = product_environment(places)
    owner_environment = {**environment, "DATABASE_URL": environment["DATABASE_OWNER_URL"]}
    supervisor.start(sandbox_spec(places=places, port=sandbox_port, environment=environment))
    _manage(supervisor, "migrate", "--noinput", "--verbosity", "0", environment=owner_environment)
    if environment["DATABASE_URL"] != environment["DATABASE_OWNER_URL"]:
        _manage(supervisor, "grant_rights", environment=environment)  # a command of the owner by itself
    if _serves_collected_files(environment):
        _manage(supervisor, "collectstatic", "--noinput", "--verbosity", "0", environment=environment)
    _manage(supervisor, "load_demo", environment=environment)
    supervisor.start(
        web_spec(listener=listener, environment=environment),
        worker_spec(places=places, environment=environment),
        scheduler_spec(environment=environment),
    )
    return listener


def sandbox_spec(*, places: Places, port: int, environment: dict[str, str]) -> ChildSpec:
    words = ("--host", "127.0.0.1", "--port", str(port), "--data", str(places.var / "sandbox"))
    return ChildSpec(
        name="sandbox",
        command=lambda: (sys.executable, "-m", "channels_sync.sandbox", *words),
        environment=environment,
        working_directory=ROOT,
        is_ready=lambda _: _answers_http(port),
    )


def web_spec(*, listener: socket.socket, environment: dict[str, str]) -> ChildSpec:
    """Gunicorn on a socket the supervisor holds: while web is being restarted, requests wait instead of failing."""
    port, descriptor = listener.getsockname()[1], listener.fileno()
    words = ("--workers", str(WEB_WORKERS), "--threads", str(WEB_THREADS), "--worker-class", "gthread")
    limits = ("--timeout", "60", "--graceful-timeout", "10", "--access-logfile", "-")
    return ChildSpec(
        name="web",
        command=lambda: (
            sys.executable,
            "-m",
            "gunicorn",
            "config.wsgi",
            "--bind",
            f"fd://{descriptor}",
            *words,
            *limits,
        ),
        environment=environment,
        working_directory=ROOT,
        is_ready=lambda _: _answers_http(port),
        stop_timeout_seconds=12,
        death_signal=signal.SIGQUIT,
        pass_descriptors=(descriptor,),
    )


def worker_spec(*, places: Places, environment: dict[str, str]) -> ChildSpec:
    words = ("--loglevel", "INFO", "--concurrency", str(TASK_PROCESSES), "--hostname", f"backflush-{places.key}@%h")
    alone = ("--without-gossip", "--without-mingle")  # there are no other workers to greet
    return ChildSpec(
        name="worker",
        command=lambda: (sys.executable, "-m", "celery", "-A", "config.celery", "worker", *words, *alone),
        environment=environment,
        working_directory=ROOT,
        is_ready=_has_said(" ready."),
        stop_timeout_seconds=15,
        death_signal=signal.SIGQUIT,
    )


def scheduler_spec(*, environment: dict[str, str]) -> ChildSpec:
    words = ("--scheduler", "django_celery_beat.schedulers:DatabaseScheduler", "--loglevel", "INFO", "--pidfile", "")
    return ChildSpec(
        name="beat",
        command=lambda: (sys.executable, "-m", "celery", "-A", "config.celery", "beat", *words),
        environment=environment,
        working_directory=ROOT,
        is_ready=_has_said("beat: Starting"),
    )


def _manage(supervisor: Supervisor, *words: str, environment: dict[str, str]) -> None:
    began = time.monotonic()
    command = [sys.executable, str(ROOT / "manage.py"), *words]
    code = supervisor.run(command, environment=environment, working_directory=ROOT)
    if code != 0:
        raise EmbeddedError(f"`manage.py {words[0]}` ended with code {code}; its message stands above.")
    supervisor.say(f"{words[0]} is done ({time.monotonic() - began:.1f} s)")


def _listen(supervisor: Supervisor, *, port: int | None) -> socket.socket:
    """A listening socket on the port for web. Another program may take it between choice and use: then choose again."""
    for _ in range(5):
        chosen = assign_port(supervisor, "web", wanted=port)
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", chosen))
            listener.listen(512)
        except OSError:
            listener.close()
        else:
            return listener
    raise EmbeddedError("No port could be opened for web. Name a free one with --port.")


def _answers_http(port: int) -> bool:
    """Whether a server on the port answers a request without an error of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _has_said(words: str) -> Callable[[Child], bool]:
    def is_ready(child: Child) -> bool:
        return words in child.output() or time.monotonic() - child.started_at > READY_WITHOUT_A_WORD_SECONDS

    return is_ready


def _serves_collected_files(environment: dict[str, str]) -> bool:
    """Whether static files come from the collected directory; with DEBUG they come straight from the apps."""
    production = environment["DJANGO_SETTINGS_MODULE"].endswith(".prod")
    return production or not environ.Env().bool("DEBUG", default=False)
