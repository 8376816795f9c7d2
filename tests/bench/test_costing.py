"""The bench of cost roll-ups runs, and both ways of rolling up say the same of what it built."""

import json
import os
import subprocess
import sys

import psycopg
import pytest

from bench.database import ROOT


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("DATABASE_OWNER_URL"), reason="DATABASE_OWNER_URL names no server")
def test_a_small_structure_of_ten_levels_is_rolled_up_both_ways_to_the_same_cost(tmp_path):
    output = tmp_path / "bench.json"
    environment = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
    words = ["--plan", "tiny", "--database", "backflush_costing_test", "--output", str(output)]

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "bench.costing", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS backflush_costing_test WITH (FORCE)")
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(output.read_text())["costing"]["rollup"]
    assert (found["levels"], found["items"], found["is_same"]) == (10, 300, True)
    assert found["lines"] >= 299
    assert "Promised figures" in done.stdout
