"""The large book is true at any size, and every page that is measured in it opens."""

import json
import os
import subprocess
import sys

import psycopg
import pytest

from bench.database import ROOT, drop_database


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("DATABASE_OWNER_URL"), reason="DATABASE_OWNER_URL names no server")
def test_a_tiny_book_is_true_and_its_pages_are_compared_with_the_demo_company(bench_environment, tmp_path):
    output = tmp_path / "bench.json"
    bench_environment["BACKFLUSH_VAR"] = str(tmp_path / "var")  # log-ins of the demo company are written there
    words = ["--size", "tiny", "--page-rounds", "1", "--no-completions", "--output", str(output)]

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "bench.scale", *words],
        cwd=ROOT,
        env=bench_environment,
        capture_output=True,
        text=True,
        check=False,
    )

    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as admin:
        for name in ("backflush_scale_small", "backflush_scale_big"):
            drop_database(admin, name)
    assert done.returncode == 0, done.stderr[-2000:]
    scale = json.loads(output.read_text())["scale"]
    assert (scale["items"], scale["balances"], scale["movements"]) == (100, 200, 2_000)
    assert scale["verify_findings"] == []
    assert {"stock board", "busy item", "valuation, a year back", "what changed in a year"} <= set(scale["pages"])
    assert "Promised figures" in done.stdout
