"""The outbox at full size: random schedules against a model of a shop, and a channel that fails in every way under kills.

    python scripts/outbox_test.py --schedules 10000 --pushes 100000 --kills 50 --seed 7

Both run on the embedded servers of BACKFLUSH_VAR (var/test when it is not set). Exit code 0: everything held.
"""

import argparse
import os
import random
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SCHEDULES = "tests/channels_sync/operations/test_interleavings.py"
FIRE = "tests/reliability/test_outbox_under_fire.py"


def main() -> int:
    options = _options()
    seed = random.randrange(1_000_000) if options.seed is None else options.seed
    environment = {
        **os.environ,
        "BACKFLUSH_VAR": os.environ.get("BACKFLUSH_VAR") or "var/test",
        "BACKFLUSH_TEST_SCHEDULES": str(options.schedules),
        "BACKFLUSH_TEST_SCHEDULES_FROM": str(seed),
        "BACKFLUSH_FIRE_PUSHES": str(options.pushes),
        "BACKFLUSH_FIRE_KILLS": str(options.kills),
        "BACKFLUSH_FIRE_SEED": str(seed),
    }
    files = [SCHEDULES] * bool(options.schedules) + [FIRE] * bool(options.pushes)
    pytest = [sys.executable, "-m", "pytest", *files, "-q", "-n", "0", "--no-header"]
    command = [sys.executable, "-m", "config.embedded", "run", "--", *pytest]
    code = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    print(f"exit code {code}; the same again: --seed {seed}")
    return code


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--schedules", type=int, default=10_000, help="0 leaves them out")
    parser.add_argument("--pushes", type=int, default=100_000, help="0 leaves the failing channel out")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, help="chosen and printed when left out")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
