"""The bench of recomputes runs, and what it measures is right: nothing is left to do, and completions change figures."""

import json
import os
import subprocess
import sys

import psycopg
import pytest

from bench.database import ROOT


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("DATABASE_OWNER_URL"), reason="DATABASE_OWNER_URL names no server")
def test_a_tiny_catalogue_is_worked_out_and_completions_change_some_of_it(bench_environment, tmp_path):
    output = tmp_path / "bench.json"
    words = ["--plan", "tiny", "--database", "backflush_catalogue_test", "--output", str(output)]

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "bench.recompute", *words],
        cwd=ROOT,
        env=bench_environment,
        capture_output=True,
        text=True,
        check=False,
    )

    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS backflush_catalogue_test WITH (FORCE)")
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(output.read_text())["recompute"]
    assert (found["full"]["listings"], found["full"]["changed"]) == (4_600, 0)
    assert [row["with_screw"] for row in found["after_completion"]] == [False, True, False, True]
    assert all(row["changed_each"] > 50 for row in found["after_completion"])
    assert "Promised figures" in done.stdout
