"""`make bench`: completions per second, latency, CPU, statements and log bytes, beside a floor measured in the same run."""

import argparse
import multiprocessing
from pathlib import Path

import django

from bench.database import ROOT, make_database

DEFAULT_OUTPUT = ROOT / "var" / "bench.json"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_const", dest="plan", const="quick", default="full", help="about a minute"
    )
    parser.add_argument("--plan", choices=("full", "quick", "tiny"), help="tiny only shows that it runs")
    parser.add_argument("--no-http", action="store_true", help="leave the web server out")
    parser.add_argument("--output", type=Path, default=DEFAULT_OUTPUT, help="where the results go")
    parser.add_argument(
        "--database", default="backflush_bench", help="the database that is made for it, and dropped first"
    )
    parser.add_argument("--changes", type=int, help="of the outbox, to be coalesced and drained")
    options = parser.parse_args()

    multiprocessing.set_start_method("fork")
    make_database(options.database)
    django.setup()
    from bench.running import PLANS, run  # it needs the models

    run(PLANS[options.plan], with_http=not options.no_http, path=options.output, changes=options.changes)


if __name__ == "__main__":
    main()
