"""What every business verb has in common: keyword-only arguments, annotations, and a docstring that adds something."""

import importlib
import inspect
import pkgutil

import pytest

import channels_sync.operations
import inventory.operations
import production.operations
from inventory.operations.transactions import operation

PACKAGES = (inventory.operations, production.operations, channels_sync.operations)
ROW_BY_ROW = {"channels_sync.operations.outbox.settle", "channels_sync.operations.outbox_confirmed.settle_readings"}
"""Building blocks of sending: each takes one list of rows and nothing else."""
_RUNNER = operation(lambda: None).__code__


def public_operations():
    """Every function without a leading underscore that @operation made atomic, by full name."""
    found = {}
    for package in PACKAGES:
        for module_found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(module_found.name)
            for name, member in vars(module).items():
                is_ours = inspect.isfunction(member) and member.__module__ == module.__name__
                if is_ours and not name.startswith("_") and member.__code__ is _RUNNER:
                    found[f"{module.__name__}.{name}"] = inspect.unwrap(member)
    return found


OPERATIONS = public_operations()


@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - ROW_BY_ROW))
def test_arguments_are_named_by_the_caller(name):
    """Also where a typed dictionary lists them, as with `**terms: Unpack[TermValues]`."""
    named = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)
    parameters = inspect.signature(OPERATIONS[name]).parameters.values()

    assert {p.name for p in parameters if p.kind not in named} == set()


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_says_what_it_does_in_a_sentence(name):
    first_line = (OPERATIONS[name].__doc__ or "").strip().split("\n")[0]

    assert first_line.rstrip().endswith((".", ":")), first_line
    assert len(first_line.split()) >= 4, first_line


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_every_argument_and_the_result_have_a_type(name):
    signature = inspect.signature(OPERATIONS[name])

    assert {p.name for p in signature.parameters.values() if p.annotation is inspect.Parameter.empty} == set()
    assert signature.return_annotation is not inspect.Signature.empty


def test_the_verbs_of_all_apps_were_found():
    apps = {name.split(".")[0] for name in OPERATIONS}

    assert apps == {"inventory", "production", "channels_sync"}
    assert {
        "inventory.operations.receiving.receive_stock",
        "production.operations.completing.complete_production",
        "channels_sync.operations.absorbing.absorb_changes",
    } <= set(OPERATIONS)
