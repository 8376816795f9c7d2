"""The words for what changed the stock."""

from inventory.models import PostingKind
from inventory.reads.changes_by_cause import NAMES


def test_every_kind_of_posting_has_a_name():
    assert set(NAMES) == set(PostingKind)
