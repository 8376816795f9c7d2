"""What stock does on a schedule."""

import logging
from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from inventory.api.idempotency import forget_replies
from inventory.operations.expiring import end_negative_leave, expire_due_lots
from inventory.operations.lapsing import release_lapsed
from inventory.operations.ranking_counts import rank_items
from inventory.operations.standing_trouble import report_standing

logger = logging.getLogger(__name__)

REPLIES_KEPT_DAYS = 30
"""How long a request that is sent again gets its stored answer."""
REPLY_BATCHES_MAX = 100
"""Batches of stored answers that one run deletes; the rest waits for the next night."""


@shared_task(acks_late=True, time_limit=900)
def expire_lots() -> int:
    """Set lots past their last day to expired and end the leave of cells to be below zero. Safe to run twice.

    Returns the lots; what was freed of reservations is logged, one line for each.
    """
    expired = expire_due_lots()
    for one in expired:
        for pin in one.freed:
            logger.warning(
                "reservation.freed",
                extra={
                    "item": one.item.sku,
                    "lot": one.lot.code,
                    "demand": f"{pin.demand_kind} {pin.demand_ref}",
                    "quantity": str(pin.quantity),
                },
            )
    cells = end_negative_leave()
    logger.info("lots.expired", extra={"lots": len(expired), "cells_no_longer_negative": cells})
    return len(expired)


@shared_task(acks_late=True, time_limit=600)
def report_standing_trouble() -> int:
    """Report stock below zero, goods left in quarantine or on the road, and close what is over. Safe to run twice.

    Returns open ones.
    """
    found = report_standing()
    logger.info(
        "trouble.reported",
        extra={"below_zero": found.below_zero, "quarantine": found.quarantined, "on_road": found.on_road},
    )
    return found.below_zero + found.quarantined + found.on_road


@shared_task(acks_late=True, time_limit=1800)
def rank_items_for_counting() -> int:
    """Put items into classes by what was used of them in a year, and find cells due to be counted. Safe to run twice."""
    found = rank_items()
    logger.info("items.ranked", extra={"items": found.items, "cells_due": found.cells_due})
    return found.items


@shared_task(acks_late=True, time_limit=300)
def release_lapsed_reservations() -> int:
    """Let go of promises whose time is over. Safe to run twice. Returns how many."""
    lapsed = release_lapsed()
    for one in lapsed:
        logger.info(
            "reservation.lapsed",
            extra={"item": one.item.sku, "demand": one.demand, "quantity": str(one.reservation.quantity)},
        )
    return len(lapsed)


@shared_task(acks_late=True, time_limit=1800)
def forget_old_answers() -> int:
    """Delete stored answers of the API older than REPLIES_KEPT_DAYS, batch by batch. Safe to run twice. Returns how many."""
    before = timezone.now() - timedelta(days=REPLIES_KEPT_DAYS)
    forgotten = 0
    for _ in range(REPLY_BATCHES_MAX):
        deleted = forget_replies(before=before)
        forgotten += deleted
        if not deleted:
            break
    logger.info("answers.forgotten", extra={"answers": forgotten})
    return forgotten
