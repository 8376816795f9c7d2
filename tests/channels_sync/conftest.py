import pytest

from channels_sync.invariants import INVARIANTS
from channels_sync.operations import absorbing, opening, pieces
from tests.channels_sync.factories import FakeShop


@pytest.fixture
def shop(monkeypatch):
    """The shop every channel of the test talks to."""
    fake = FakeShop()
    monkeypatch.setattr(opening, "adapter_for", lambda *, name, account: fake)
    return fake


@pytest.fixture
def small_pieces(monkeypatch):
    """Pieces of six listings, and news of more than three items is news of many."""
    monkeypatch.setattr(pieces, "LISTINGS_PER_PIECE", 6)
    monkeypatch.setattr(absorbing, "ITEMS_OF_SINGLE_ACTS", 3)


@pytest.fixture
def publishing_stays_true(db):
    """After the test every invariant of publishing still holds."""
    yield
    assert broken() == []


def broken():
    return [f"{invariant.name}: {finding}" for invariant in INVARIANTS for finding in invariant.find()]
