"""PostgreSQL and Valkey as children of the supervisor, and the addresses others reach them by."""

import os
import signal
import sys
from pathlib import Path

from config.embedded import postgres, valkey
from config.embedded.children import ChildSpec
from config.embedded.places import Places, choose_port, redis_url
from config.embedded.supervisor import Supervisor


def wanted_servers() -> tuple[str, ...]:
    """The servers to run: an address in the environment or in `.env` always wins over an embedded server."""
    names = (("postgres", "DATABASE_URL"), ("valkey", "REDIS_URL"))
    return tuple(name for name, variable in names if not os.environ.get(variable))


def start_servers(supervisor: Supervisor) -> None:
    """Start what is wanted, prepare roles and database, and record that commands may use them."""
    places = supervisor.places
    wanted = wanted_servers()
    if "postgres" in wanted:
        location = postgres.locate(places=places, state=supervisor.state)
        supervisor.state["location"] = location.as_state()
        if not location.data_directory.is_relative_to(places.var):
            supervisor.say(f"the database lies in {location.data_directory}: its account may not enter this folder")
        supervisor.start(_postgres_spec(location))
        postgres.prepare_roles(location=location, passwords=places.passwords)
    if "valkey" in wanted:
        port = assign_port(supervisor, "valkey")
        supervisor.start(_valkey_spec(places=places, port=port))
    supervisor.note(servers_ready=True, servers=list(wanted))


def environment_for_commands(places: Places) -> dict[str, str]:
    """Our environment, the addresses of the servers in it, and the programs of our virtual environment first."""
    programs = str(Path(sys.executable).parent)
    return {
        **os.environ,
        **server_environment(places),
        "BACKFLUSH_VAR": str(places.var),
        "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }


def assign_port(supervisor: Supervisor, name: str, *, wanted: int | None = None) -> int:
    """The port of `name`, chosen free and remembered. `wanted` is tried before all others."""
    ports: dict[str, int] = supervisor.state.setdefault("ports", {})
    others = {port for other, port in ports.items() if other != name}
    same_place = supervisor.state.get("var") == str(supervisor.places.var)
    remembered = wanted if wanted is not None else ports.get(name) if same_place else None
    ports[name] = choose_port(places=supervisor.places, name=name, remembered=remembered, taken=others)
    supervisor.write_state()
    return ports[name]


def server_environment(places: Places) -> dict[str, str]:
    """DATABASE_URL, DATABASE_OWNER_URL and REDIS_URL: what the environment says, else the embedded servers.

    An embedded server that has never been started has no address yet and is left out.
    """
    found = {}
    state = places.state()
    if state.get("var") != str(places.var):
        state = {}  # a copy of another checkout: its servers are not ours
    database = os.environ.get("DATABASE_URL")
    if database:
        found["DATABASE_URL"] = database
        found["DATABASE_OWNER_URL"] = os.environ.get("DATABASE_OWNER_URL") or database
    elif "location" in state:
        found |= postgres.urls(location_state=state["location"], passwords=places.passwords)
    broker = os.environ.get("REDIS_URL")
    if broker:
        found["REDIS_URL"] = broker
    elif "valkey" in state.get("ports", {}):
        found["REDIS_URL"] = redis_url(password=places.passwords["valkey"], port=state["ports"]["valkey"])
    return found


def _postgres_spec(location: postgres.Location) -> ChildSpec:
    def command() -> tuple[str, ...]:
        postgres.prepare(location)
        return postgres.command(location)

    return ChildSpec(
        name="postgres",
        command=command,
        environment={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"},
        working_directory=Path("/"),  # everybody may enter it
        account=location.account,
        is_ready=lambda child: postgres.accepts_connections(location, pid=child.pid),
        ready_timeout_seconds=120,  # crash recovery of a busy database
        retry_seconds=20,  # after kill -9, backends that lost their server hold the cluster for a while
        stop_signal=signal.SIGINT,  # fast shutdown
        quick_stop_signal=signal.SIGQUIT,  # immediate shutdown; the next start recovers
        stop_timeout_seconds=20,
        death_signal=signal.SIGQUIT,
    )


def _valkey_spec(*, places: Places, port: int) -> ChildSpec:
    password = places.passwords["valkey"]
    return ChildSpec(
        name="valkey",
        command=lambda: valkey.prepare(directory=places.var / "valkey", port=port, password=password),
        environment={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        working_directory=places.var,
        is_ready=lambda _: valkey.answers(port=port, password=password),
        ready_timeout_seconds=20,
        retry_seconds=5,
    )
