"""Doing things once: keys that are the same at every load, and days counted back from the first one."""

from datetime import datetime, time, timedelta
from uuid import UUID, uuid5

from django.utils import timezone

from inventory.models import Item, Posting

_KEYS = UUID("0d5e1c0a-5d3e-4b7a-8f0b-5d6f3b1a9c11")


def key_of(step: str) -> UUID:
    """The idempotency key of a step of the demo, by its name."""
    return uuid5(_KEYS, step)


def is_done(step: str) -> bool:
    """Whether the posting of a step exists."""
    return Posting.objects.filter(key=key_of(step)).exists()


def posting_of(step: str) -> Posting:
    return Posting.objects.get(key=key_of(step))


def days_ago(days: int, hour: int = 10) -> datetime:
    """A working hour some days back, in local time; never in the future."""
    day = timezone.localdate() - timedelta(days=days)
    moment = timezone.make_aware(datetime.combine(day, time(hour)))
    return min(moment, timezone.now())


def item(sku: str) -> Item:
    return Item.objects.get(sku=sku)
