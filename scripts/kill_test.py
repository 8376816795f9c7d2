"""Kill processes of the running product at random moments under load, and check that nothing acknowledged is lost.

    python scripts/kill_test.py --kills 500 --seed 7

Starts the whole product on a throw-away database (BACKFLUSH_VAR, by default var/reliability), runs tests/reliability/run.py
in it and removes everything afterwards. Exit code 0: every check held; 1: one did not; 2: the run could not be started.
`--sabotage` breaks a promise on purpose (names in tests/reliability/sabotage.py): the run must then fail.
"""

import argparse
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from config.embedded.places import Places  # noqa: E402
from config.embedded.processes import dies_with_parent  # noqa: E402
from config.embedded.supervisor import running_supervisor  # noqa: E402

OTHER_SERVERS = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL")
"""The run kills the servers it finds: it takes none but its own."""


def main() -> int:
    options = _options()
    seed = random.randrange(1_000_000) if options.seed is None else options.seed
    environment = _environment(options)
    places = Places(var=Path(environment["BACKFLUSH_VAR"]))
    if running_supervisor(places) is not None:
        print(f"Something runs for {places.var} already. Wait for its end, or set BACKFLUSH_VAR to another directory.")
        return 2
    words = ["--kills", str(options.kills), "--seed", str(seed), "--clients", str(options.clients)]
    inside = shlex.join([sys.executable, "-m", "tests.reliability.run", *words])
    command = [sys.executable, "-m", "config.embedded", "demo", "--fresh", "--with", inside]
    code = 2
    try:
        code = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            check=False,
            preexec_fn=dies_with_parent(signal.SIGTERM),  # there are no threads
        ).returncode
    finally:
        _clean_up(places, environment, keep=options.keep, failed=code != 0)
    print(f"exit code {code}; the same again: python scripts/kill_test.py --kills {options.kills} --seed {seed}")
    return code


def _environment(options: argparse.Namespace) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in OTHER_SERVERS}
    var = Path(os.environ.get("BACKFLUSH_VAR") or "var/reliability")
    return {
        **kept,
        "BACKFLUSH_VAR": str((ROOT / var).resolve()),
        "DJANGO_SETTINGS_MODULE": "tests.reliability.settings",
        "BACKFLUSH_KILL_LEASE_SECONDS": str(options.lease_seconds or ""),
        "BACKFLUSH_KILL_SABOTAGE": options.sabotage,
    }


def _clean_up(places: Places, environment: dict[str, str], *, keep: bool, failed: bool) -> None:
    """Stop what still runs and remove the database; after a failure the logs and the journal are put aside first."""
    words = [sys.executable, "-m", "config.embedded"]
    if running_supervisor(places) is not None:
        subprocess.run([*words, "stop"], cwd=ROOT, env=environment, check=False)
    if keep:
        print(f"Everything is kept in {places.var}.")
        return
    if failed and places.log_directory.is_dir():
        aside = places.var.with_name(f"{places.var.name}-failed")
        shutil.rmtree(aside, ignore_errors=True)
        shutil.copytree(places.log_directory, aside)
        journal = places.var / "journal.jsonl"
        if journal.is_file():
            shutil.copy(journal, aside)
        print(f"Logs and the clients' journal are in {aside}.")
    done = subprocess.run(
        [*words, "destroy", "--yes"], cwd=ROOT, env=environment, check=False, stdout=subprocess.DEVNULL
    )
    if done.returncode == 0:
        shutil.rmtree(places.var, ignore_errors=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, help="chosen and printed when left out")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--lease-seconds", type=int, help="a shorter lease than the product's, for short runs")
    parser.add_argument("--sabotage", default="", metavar="NAME", help="break a promise; the run must fail")
    parser.add_argument("--keep", action="store_true", help="leave database, logs and journal in BACKFLUSH_VAR")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
