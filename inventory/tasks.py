"""What stock does on a schedule."""

import logging

from celery import shared_task

from inventory.operations.expiring import end_negative_leave, expire_due_lots

logger = logging.getLogger(__name__)


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
