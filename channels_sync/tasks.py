"""Background work. A message only says that there may be work: each task finds it in the database, by row locks.

Each may run twice, or twice at once. A lost message is made good by `sweep_publishing`, which beat starts every few
seconds. The time limits are shorter than the lease of a claimed row: a sender is dead before its rows go to another one.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from celery import Task, shared_task
from django.utils import timezone

from channels_sync.operations.absorbing import absorb_changes, absorb_wide
from channels_sync.operations.confirming import confirm_sent
from channels_sync.operations.deciding_wide import carry_out_decision
from channels_sync.operations.first_looks import take_first_look
from channels_sync.operations.publishing import publish_due
from channels_sync.operations.ranking import refresh_sold_per_day
from channels_sync.operations.reading_back import read_everything, read_sample
from channels_sync.operations.recomputing import recompute_all
from channels_sync.operations.remembering import forget_old_maxima as forget_maxima
from channels_sync.operations.simulating import waiting_simulations, work_on_simulations
from channels_sync.operations.sweeping import sweep
from channels_sync.reads.differences import sending_channel_ids, shadow_channel_ids
from channels_sync.reads.publishing import due_channel_ids
from inventory.wakeups import reaches_workers

BATCHES_MAX = 50
TASK_SECONDS = 30.0
"""No task begins another batch later than this; what is left goes to the next message."""
TIME_LIMIT_SECONDS = 110
SIMULATION_SECONDS = 1_080
"""Shorter than the lease of a simulation."""
NIGHT = timedelta(hours=8)
LOOK_AGAIN = timedelta(hours=1)
"""What was read back so short a time ago is not read again in the same night."""


@shared_task(time_limit=TIME_LIMIT_SECONDS, ignore_result=True)
def absorb_stock_changes() -> int:
    """Take in the news of stock and carry out decisions about large changes, and wake the senders of the channels they touched.

    Returns the rows taken in.
    """
    taken = 0
    ends_at = time.monotonic() + TASK_SECONDS
    for _ in range(BATCHES_MAX):
        rows = absorb_changes() + absorb_wide() + carry_out_decision()
        taken += rows
        if rows:
            _wake_senders()
        if not rows or time.monotonic() > ends_at:
            break
    if not taken:
        _wake_senders()  # a channel may have been resumed, which is no news of stock
    return taken


@shared_task(time_limit=TIME_LIMIT_SECONDS, ignore_result=True)
def publish_channel(*, channel_id: int) -> int:
    """Send what is due for one channel, and have it read back. Returns the rows the channel accepted."""
    accepted = 0
    ends_at = time.monotonic() + TASK_SECONDS
    for _ in range(BATCHES_MAX):
        result = publish_due(channel_id=channel_id)
        accepted += result.accepted
        if not result.claimed or result.is_blocked:
            break  # when it is blocked, the sweep asks again
        if time.monotonic() > ends_at:
            send_message(publish_channel, channel_id=channel_id)
            break
    if accepted:
        send_message(confirm_channel, channel_id=channel_id)
    return accepted


@shared_task(time_limit=TIME_LIMIT_SECONDS, ignore_result=True)
def confirm_channel(*, channel_id: int) -> int:
    """Read back what one channel accepted. Returns the rows confirmed."""
    confirmed = 0
    ends_at = time.monotonic() + TASK_SECONDS
    for _ in range(BATCHES_MAX):
        result = confirm_sent(channel_id=channel_id)
        confirmed += result.confirmed
        if not result.read or time.monotonic() > ends_at:
            break
    return confirmed


@shared_task(time_limit=TIME_LIMIT_SECONDS, ignore_result=True)
def sweep_publishing() -> None:
    """Wake everybody who has work, whatever became of earlier messages."""
    found = sweep()
    if found.has_news:
        send_message(absorb_stock_changes)
    for channel_id in found.to_publish:
        send_message(publish_channel, channel_id=channel_id)
    for channel_id in found.to_confirm:
        send_message(confirm_channel, channel_id=channel_id)


@shared_task(time_limit=1_800, ignore_result=True)
def recompute_everything() -> int:
    """Work out every listing anew, for what changes by the clock alone: lots and reservations expire, rules begin and end.

    Returns the listings that changed.
    """
    refresh_sold_per_day()
    changed = recompute_all(cause="the passing of time").changed
    if changed:
        _wake_senders()
    return changed


@shared_task(time_limit=1_800, ignore_result=True)
def forget_old_maxima() -> int:
    """Every night: what a listing showed longer than 30 days ago no longer counts as recent. Returns the listings lowered."""
    return forget_maxima()


def _wake_senders() -> None:
    for channel_id in due_channel_ids():
        send_message(publish_channel, channel_id=channel_id)


def send_message(task: Task[..., object], **arguments: object) -> None:
    """Send a wake-up. A broker that cannot be reached is logged; the work is safe in the database and the sweep finds it."""
    reaches_workers(lambda: task.apply_async(kwargs=arguments, retry=False, expires=60), task=task.name)


@shared_task(time_limit=SIMULATION_SECONDS, ignore_result=True)
def run_simulations() -> int:
    """Work out one question to the simulator. Safe to run twice, or twice at once. Returns the number worked on."""
    done = work_on_simulations(simulations_max=1)
    if done and waiting_simulations():
        send_message(run_simulations)
    return done


@shared_task(time_limit=60, ignore_result=True)
def read_back_samples() -> None:
    """Every few minutes: have a sample of each channel read back."""
    for channel_id in sending_channel_ids():
        send_message(read_back_sample, channel_id=channel_id)
    for channel_id in shadow_channel_ids():
        send_message(look_at_channel, channel_id=channel_id)


@shared_task(time_limit=TIME_LIMIT_SECONDS, ignore_result=True)
def look_at_channel(*, channel_id: int) -> int:
    """Read what one channel in the shadow shows where it was never told anything, each listing once in LOOK_AGAIN.

    Returns the listings read.
    """
    before = timezone.now() - LOOK_AGAIN
    return take_first_look(channel_id=channel_id, before=before, seconds_max=TASK_SECONDS).read


@shared_task(time_limit=TIME_LIMIT_SECONDS, ignore_result=True)
def read_back_sample(*, channel_id: int) -> int:
    """Compare a few listings of one channel with what was sent. Returns the listings read."""
    return read_sample(channel_id=channel_id).read


@shared_task(time_limit=60, ignore_result=True)
def read_back_everything() -> None:
    """At night: have every listing compared that was not since yesterday evening; a later start goes on where one stopped."""
    since = (timezone.now() - NIGHT).isoformat()
    for channel_id in sending_channel_ids():
        send_message(read_back_channel, channel_id=channel_id, since=since)


@shared_task(time_limit=3_000, ignore_result=True)
def read_back_channel(*, channel_id: int, since: str) -> int:
    """Compare every listing of one channel that was not read after `since` (ISO). Returns the listings read."""
    return read_everything(channel_id=channel_id, since=datetime.fromisoformat(since)).read
