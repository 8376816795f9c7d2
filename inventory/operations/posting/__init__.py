"""The only writer of stock: building blocks that every operation uses, in the order claim, lock, decide, write.

`claim_posting` makes the key unique, `lock_for_posting` (inventory.locks) holds the rows, `Draft` collects what moves and
values it from the locked pools with pure arithmetic, and `post` writes all of it with one statement: movements, balances,
pools and the news for the apps above. The number of statements does not depend on the number of lines.
"""

from django.utils import timezone

from inventory.models import Posting
from inventory.operations.posting.backdating import keep_counts, refuse_negative_in_future
from inventory.operations.posting.claims import Actor, Claim, claim_posting, request_hash
from inventory.operations.posting.drafts import Draft, Line
from inventory.operations.posting.writing import Along, write_draft
from inventory.wakeups import wake_after_commit

__all__ = ["Actor", "Along", "Claim", "Draft", "Line", "claim_posting", "post", "request_hash"]


def post(*, posting: Posting, draft: Draft, along: Along | None = None) -> None:
    """Write a draft: movements, balances, pools and the news, in one statement; layers, cost entries and pins when there
    are any. What the app above writes about the posting goes `along`.

    The rows must be locked (`lock_for_posting`). Each line must be exact to six places; the database refuses a negative
    balance. Raises NegativeInFuture for a backdated posting that takes what a later day still needs, and DuplicateSerial
    for a serial of which more than one piece would be on hand.
    """
    draft.finish()
    if draft.lines and timezone.localdate(posting.effective_at) < timezone.localdate(posting.recorded_at):
        refuse_negative_in_future(posting, draft)
    write_draft(posting, draft, along=along)
    if draft.lines and posting.effective_at < posting.recorded_at:
        keep_counts(posting, draft.lines)
    wake_after_commit()
