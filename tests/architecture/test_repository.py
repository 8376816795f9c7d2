"""What must not stand in any file of the repository."""

import re
import subprocess
from pathlib import Path

import pytest

from config.embedded.places import ROOT

LEFT_OUT = (".venv", "var", ".git", "node_modules", "static/vendor")
BYTES_MAX = 2_000_000
# Written in pieces, so that this file does not find itself.
MACHINE_PATHS = re.compile(
    "|".join(["/" + "work/", "/tmp/" + "brief", "/" + "root/", "/" + r"home/[a-z]", "/" + r"Users/[a-z]"])
)
REGISTRIES = re.compile(
    "|".join(
        [
            "py" + r"pi\.org",
            "pythonhosted" + r"\.org",
            "npmjs" + r"\.(?:org|com)",
            "index" + "-url",
            "proxy" + r"\.golang",
        ]
    )
)
PRIVATE_KEYS = re.compile("BEGIN [A-Z ]*PRIVATE " + "KEY")


def tracked_files():
    """Files of the repository, new ones included; without git, everything that is not left out."""
    try:
        words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
        names = [name for name in done.stdout.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file()]
    chosen = [name for name in names if not any(Path(name).is_relative_to(folder) for folder in LEFT_OUT)]
    return [ROOT / name for name in chosen if (ROOT / name).is_file()]


def lines_with(pattern):
    found = []
    for path in tracked_files():
        if path.stat().st_size > BYTES_MAX:
            continue
        text = path.read_bytes()
        if b"\0" in text[:8_000]:
            continue
        for number, line in enumerate(text.decode("utf-8", "replace").splitlines(), start=1):
            if pattern.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}")
    return found


@pytest.mark.parametrize("pattern", [MACHINE_PATHS, REGISTRIES, PRIVATE_KEYS], ids=["paths", "registries", "keys"])
def test_nothing_names_one_machine_a_registry_or_a_secret(pattern):
    assert lines_with(pattern) == []


def test_no_file_is_too_large_to_be_looked_into():
    large = {str(path.relative_to(ROOT)): path.stat().st_size for path in tracked_files()}

    assert {name: size for name, size in large.items() if size > BYTES_MAX} == {}


def test_the_lock_file_names_a_hash_for_every_package():
    text = (ROOT / "requirements.lock").read_text()
    packages = re.findall(r"^[a-z0-9][a-z0-9._-]*==\S+", text, flags=re.MULTILINE | re.IGNORECASE)

    assert len(packages) > 30
    assert text.count("--hash=sha256:") >= len(packages)
