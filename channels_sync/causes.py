"""What made figures change, in words: many causes come together in one run. Pure."""

from collections.abc import Iterable

BY_DATE = "rule by date"
_BULK = {
    "import": "an import",
    "policy": "a change of rules",
    BY_DATE: "a rule that began or ended by its date",
    "campaign": "a campaign that began or ended",
    "channel sources": "a change of a channel's sources",
    "bulk": "one act on many items",
}
_AT_ONCE = {
    "report": "reported stock of many items",
    "receipt": "a receipt of many items",
    "count": "a count of many items",
    "completion": "many completions recorded at once",
    "reversal": "a posting of many items taken back",
    "place": "a change of places with many items",
    "category": "a change of categories with many items",
    "supplier": "a change of suppliers of many items",
    "supplier item": "a change of what suppliers have of many items",
    "lot": "a change of lots of many items",
    "item": "a change of many items",
}
"""What one person changed of many items at once, by what follows `bulk` in the cause; see inventory.bulk."""
BULK_CAUSES = tuple(_BULK)
"""How the causes begin that touch many listings at one stroke; the guard looks twice after them."""
APPROVED_CAMPAIGN = "approved campaign"
"""Rules of a campaign that a second person approved begin or end: no bulk edit that nobody looked at."""
SHOWN_MAX = 3


def joined(causes: Iterable[str]) -> str:
    """Each cause once, bulk ones first, separated by commas."""
    return ", ".join(sorted(set(causes), key=lambda cause: (not cause.startswith(BULK_CAUSES), cause)))


def shortened(causes: str, *, length: int) -> str:
    """As many whole causes as fit into `length` letters."""
    if len(causes) <= length:
        return causes
    cut = causes[: length + 1].rfind(", ")
    return causes[:cut] if cut > 0 else causes[:length]


def bulk_in_words(causes: str) -> str:
    """The first bulk act among joined causes as a person would say it; empty when there is none."""
    for cause in causes.split(", "):
        begins = next((one for one in BULK_CAUSES if cause.startswith(one)), "")
        if begins == "import" and cause != begins:
            return f"an import of {cause.removeprefix(begins).strip().replace('_', ' ')}"
        if begins == "bulk" and cause != begins:
            what = cause.removeprefix(begins).strip()
            return _AT_ONCE.get(what, f"a change of many items ({what.replace('_', ' ')})")
        if begins:
            return _BULK[begins]
    return ""


def in_words(causes: str) -> str:
    """For people: `completion, customer return, count and 4 more`."""
    found = [cause.replace("_", " ") for cause in causes.split(", ") if cause]
    if len(found) <= SHOWN_MAX + 1:
        return ", ".join(found)
    return f"{', '.join(found[:SHOWN_MAX])} and {len(found) - SHOWN_MAX} more"
