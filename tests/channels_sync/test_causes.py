"""Words of what made figures change."""

import pytest

from channels_sync.causes import bulk_in_words, in_words, joined, shortened


def test_bulk_causes_come_first_and_each_once():
    causes = ["receipt", "completion", "receipt", "policy", "import of items"]

    assert joined(causes) == "import of items, policy, completion, receipt"


def test_causes_are_cut_between_two_of_them():
    assert shortened("completion, customer_return", length=20) == "completion"
    assert shortened("completion, receipt", length=19) == "completion, receipt"
    assert shortened("a" * 30, length=20) == "a" * 20


@pytest.mark.parametrize(
    ("causes", "words"),
    [
        ("customer_return", "customer return"),
        ("a, b, c, d", "a, b, c, d"),
        ("a, b, c, d, e", "a, b, c and 2 more"),
        ("", ""),
    ],
)
def test_people_read_the_first_few(causes, words):
    assert in_words(causes) == words


@pytest.mark.parametrize(
    ("causes", "words"),
    [
        ("receipt, import supplier_stock", "an import of supplier stock"),
        ("import", "an import"),
        ("policy, receipt", "a change of rules"),
        ("rule by date", "a rule that began or ended by its date"),
        ("campaign ends", "a campaign that began or ended"),
        ("channel sources", "a change of a channel's sources"),
        ("bulk report, receipt", "reported stock of many items"),
        ("bulk supplier item", "a change of what suppliers have of many items"),
        ("bulk lot_change", "a change of many items (lot change)"),
        ("bulk", "one act on many items"),
        ("receipt, completion", ""),
    ],
)
def test_bulk_edits_are_told_from_usual_causes(causes, words):
    assert bulk_in_words(causes) == words
