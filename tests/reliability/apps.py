"""What a run may change in the product's own processes. Without these variables nothing is changed.

BACKFLUSH_KILL_LEASE_SECONDS shortens the time after which the rows of a dead sender go to another one, so that a short run
need not wait for it. BACKFLUSH_KILL_SABOTAGE names a promise to break: the run must then fail; see sabotage.py.
"""

import os

from django.apps import AppConfig


class ReliabilityConfig(AppConfig):
    name = "tests.reliability"
    label = "reliability"

    def ready(self):
        from channels_sync.operations import metering, outbox, outbox_confirmed
        from tests.reliability import sabotage

        lease = os.environ.get("BACKFLUSH_KILL_LEASE_SECONDS", "")
        if lease:
            outbox.LEASE_SECONDS = metering.PROBE_SECONDS = int(lease)
            outbox_confirmed.CONFIRM_HOLD_SECONDS = min(int(lease), outbox_confirmed.CONFIRM_HOLD_SECONDS)
        broken = os.environ.get("BACKFLUSH_KILL_SABOTAGE", "")
        if broken:
            sabotage.BY_NAME[broken]()
