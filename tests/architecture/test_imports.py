"""Who may import whom: the contracts of pyproject.toml, and the same order among the tests."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from config.embedded.places import ROOT

ORDER = ("inventory", "production", "channels_sync", "config")
"""Each app may import itself and those before it."""
PURE = (
    "inventory/quantities.py",
    "inventory/picking.py",
    "inventory/units.py",
    "production/explosion.py",
    *(
        f"channels_sync/allocation/{name}.py"
        for name in (
            "__init__",
            "derivation",
            "facts",
            "formula",
            "plain",
            "sharing",
            "sisters",
            "stored",
            "terms",
            "vocabulary",
            "words",
        )
    ),
    *(
        f"channels_sync/simulation/{name}.py"
        for name in ("__init__", "case", "demand", "exposure", "question", "replay", "tally")
    ),
)
TESTS_OF_ALL_APPS = {"tests/inventory/test_append_only.py"}
"""Lists the append-only tables of every app."""
WRITING = ("operations", "views", "api", "admin", "forms", "tasks", "management")
EDGES = ("views", "api", "admin", "forms", "tasks", "management")


@cache
def imported_by(path):
    """Full names of what a module imports, imports inside functions included, those for type checkers left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    names = set()
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def modules_below(*folders):
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def name_of(path):
    return str(path.relative_to(ROOT))


def in_package(names, *packages):
    return sorted(name for name in names if any(name == one or name.startswith(f"{one}.") for one in packages))


def test_the_import_contracts_hold():
    """In a process of its own: the linter sets logging up anew and would silence every logger of the tests after it."""
    command = [Path(sys.executable).with_name("lint-imports"), "--config", ROOT / "pyproject.toml", "--no-cache"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("app", ["inventory", "production"])
def test_tests_of_an_app_do_not_import_the_apps_above_it(app):
    """The composition root excepted: settings and error shapes belong to every app."""
    above = [one for one in ORDER[ORDER.index(app) + 1 :] if one != "config"]

    found = {
        name_of(path): in_package(imported_by(path), *above, *(f"tests.{one}" for one in above))
        for path in modules_below(f"tests/{app}")
        if name_of(path) not in TESTS_OF_ALL_APPS
    }

    assert {module: names for module, names in found.items() if names} == {}


@pytest.mark.parametrize("module", PURE)
def test_pure_modules_know_nothing_of_the_database(module):
    assert in_package(imported_by(ROOT / module), "django", "inventory.models", "production.models") == []


@pytest.mark.parametrize("app", ORDER[:-1])
def test_models_do_not_know_what_is_done_with_them(app):
    found = {
        name_of(path): in_package(imported_by(path), *(f"{one}.{part}" for one in ORDER for part in WRITING))
        for path in modules_below(f"{app}/models")
    }

    assert {module: names for module, names in found.items() if names} == {}


@pytest.mark.parametrize("app", ORDER[:-1])
def test_operations_and_reads_do_not_know_the_edges(app):
    found = {
        name_of(path): in_package(imported_by(path), *(f"{one}.{part}" for one in ORDER for part in EDGES))
        for path in modules_below(f"{app}/operations", f"{app}/reads")
    }

    assert {module: names for module, names in found.items() if names} == {}


def test_another_app_is_entered_only_through_its_open_doors():
    """From another app: models, operations, reads, errors, web, invariants and pure modules; not its edges."""
    closed = ("views", "admin", "forms", "tasks", "management", "migrations")

    found = {
        name_of(path): in_package(
            imported_by(path), *(f"{other}.{part}" for other in ORDER[:-1] if other != app for part in closed)
        )
        for app in ORDER[:-1]
        for path in modules_below(app)
        if "migrations" not in path.parts
    }

    assert {module: names for module, names in found.items() if names} == {}


def test_products_do_not_import_tests_or_the_bench():
    found = {name_of(path): in_package(imported_by(path), "tests", "bench", "pytest") for path in modules_below(*ORDER)}

    assert {module: names for module, names in found.items() if names} == {}


def test_the_finder_of_imports_sees_those_that_hide_in_functions(tmp_path):
    module = tmp_path / "module.py"
    module.write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import decimal\n"
        "def later():\n    from inventory import models\n"
    )

    assert imported_by(Path(module)) == {"typing", "typing.TYPE_CHECKING", "inventory", "inventory.models"}
