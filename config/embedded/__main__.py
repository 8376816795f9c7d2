"""python -m config.embedded <command>: the servers and processes of this checkout."""

import argparse
import json
import os
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from config.embedded import background, postgres, stack
from config.embedded.errors import AlreadyRunning, EmbeddedError
from config.embedded.places import APP_ROLE, DATABASE, OWNER_ROLE, Places, read_dotenv, without_password
from config.embedded.servers import server_environment
from config.embedded.supervisor import running_supervisor


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks. Returns the exit code."""
    options = _parser().parse_args(arguments)
    read_dotenv()
    places = Places.here()
    try:
        return int(options.do(places, options) or 0)
    except AlreadyRunning as error:
        say(_where_it_runs(places, str(error)))
        return 1
    except EmbeddedError as error:
        say(str(error))
        return 1


def say(text: str) -> None:
    """One message to the console, with the time, so that restarts can be placed."""
    print(f"[backflush {time.strftime('%H:%M:%S')}] {text}", flush=True)


def status(places: Places) -> dict[str, Any]:
    """What runs for this checkout, as a plain object: process numbers, addresses without passwords, ports, places."""
    state = places.state()
    known = running_supervisor(places)
    runs = known is not None
    return {
        "var": str(places.var),
        "running": runs,
        "supervisor": known,
        "children": state.get("children", {}) if runs else {},
        "addresses": {
            **{name: without_password(url) for name, url in server_environment(places).items()},
            **(state.get("addresses", {}) if runs else {}),
        },
        "ports": state.get("ports", {}),
        "location": state.get("location"),
    }


def _serve(places: Places, _: argparse.Namespace) -> None:
    background.serve(places=places, say=say)


def _demo(places: Places, options: argparse.Namespace) -> int:
    return stack.demo(places=places, say=say, port=options.port, fresh=options.fresh, command=options.with_command)


def _destroy(places: Places, options: argparse.Namespace) -> None:
    if not options.yes:
        raise EmbeddedError(f"This removes the database and every file of {places.var}. Add --yes if you mean it.")
    for path in stack.destroy(places):
        say(f"removed {path}")


def _run(places: Places, options: argparse.Namespace) -> int:
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        raise EmbeddedError("Name the command to run: python -m config.embedded run -- <command>")
    return background.run(places=places, command=command)


def _up(places: Places, _: argparse.Namespace) -> None:
    background.up(places=places)
    say("PostgreSQL and Valkey run in the background until `python -m config.embedded stop`.")


def _stop(places: Places, _: argparse.Namespace) -> None:
    if not background.stop(places=places, say=say):
        say(f"nothing runs for {places.var}")


def _status(places: Places, _: argparse.Namespace) -> None:
    print(json.dumps(status(places), indent=2))


def _env(places: Places, _: argparse.Namespace) -> None:
    values = {**server_environment(places), "BACKFLUSH_VAR": str(places.var)}
    for name, value in values.items():
        print(f"export {name}={shlex.quote(value)}")


def _psql(places: Places, options: argparse.Namespace) -> None:
    location = places.state().get("location")
    if location is None or urlsplit(server_environment(places)["DATABASE_URL"]).username != APP_ROLE:
        raise EmbeddedError(
            "There is no embedded database in use here. Connect to DATABASE_URL with a psql of your own."
        )
    binary = Path(postgres.wheel_binaries()) / "psql"
    role = "postgres" if options.superuser else OWNER_ROLE if options.owner else APP_ROLE
    environment = {
        **os.environ,
        "PGHOST": location["socket_directory"],
        "PGUSER": role,
        "PGPASSWORD": places.passwords.get(role, ""),
        "PGDATABASE": DATABASE,
    }
    words = options.command[1:] if options.command[:1] == ["--"] else options.command
    os.execve(binary, [str(binary), *words], environment)


def _where_it_runs(places: Places, message: str) -> str:
    state = places.state()
    web = state.get("addresses", {}).get("web")
    known = state.get("supervisor") or {}
    if known.get("mode") == "servers":
        return f"{message} Another command uses its servers; wait for its end, or run `make stop`."
    where = f" Its address is {web}." if web else " It is still starting."
    return f"{message}{where} Stop it with Ctrl-C in its window or with `make stop`."


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m config.embedded", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    def add(name: str, do: Any, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(do=do)
        return command

    demo = add("demo", _demo, "start the whole product with the demo company, in the foreground")
    demo.add_argument("--port", type=int, help="the port to try first for web")
    demo.add_argument("--fresh", action="store_true", help="remove what an earlier start left in var first")
    demo.add_argument(
        "--with", dest="with_command", metavar="COMMAND", help="run COMMAND when all is up, then stop all"
    )
    run = add("run", _run, "run a command with PostgreSQL and Valkey up and their addresses in its environment")
    run.add_argument("command", nargs=argparse.REMAINDER, help="-- and the command")
    add("up", _up, "start PostgreSQL and Valkey in the background and keep them")
    add("stop", _stop, "stop every process of this checkout")
    add("status", _status, "print process numbers, addresses and ports as JSON")
    add("env", _env, "print the addresses as exports for a shell")
    destroy = add("destroy", _destroy, "remove the embedded database and every other file below var")
    destroy.add_argument("--yes", action="store_true", help="do it")
    psql = add("psql", _psql, "open psql on the embedded database, as the application's role")
    psql.add_argument("--owner", action="store_true", help="as the role that owns the tables")
    psql.add_argument("--superuser", action="store_true", help="as the superuser")
    psql.add_argument("command", nargs=argparse.REMAINDER, help="-- and words for psql")
    add("serve", _serve, "be the supervisor of the servers (started by the other commands)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
