"""The outbox: claiming and settling beside a floor, and many changes coalesced and drained by several workers.

    python -m bench.outbox --changes 1000000

measures it alone. The floor (`outbox.sql`) is the same two steps on one narrow table without history. Both take turns over the
same number of rows; ratios are medians of those within one round. Draining goes through `publish_due` to a sink in the
worker's own process that says yes to everything, and is paid for from the account's allowance like any other call.
"""

import argparse
import multiprocessing
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from bench.database import Connection, connect_as_owner, make_database, run_script

BATCH = 500
CHANGES_EACH = 4
"""Changes of one listing that are coalesced into one figure to send."""
FLOOR_CLAIM = """WITH c AS (SELECT id FROM floor_outbox.push WHERE channel_id = ANY(%s) AND ver > sent_ver
  AND (lease_until IS NULL OR lease_until < now()) ORDER BY channel_id, id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED)
UPDATE floor_outbox.push p SET lease_until = now() + interval '60 s', attempts = attempts + 1 FROM c WHERE p.id = c.id
RETURNING p.id, p.sku, p.qty, p.ver"""
FLOOR_DONE = """UPDATE floor_outbox.push p SET sent_ver = u.v, sent_qty = u.q, lease_until = NULL, attempts = 0
FROM unnest(%s::int[], %s::bigint[], %s::int[]) u(id, v, q) WHERE p.id = u.id AND p.sent_ver < u.v"""


@dataclass(frozen=True, slots=True)
class OutboxPlan:
    rows: int  # of each turn of the comparison
    rounds: int
    changes: int  # coalesced and drained; a multiple of CHANGES_EACH
    workers: Sequence[int] = (1, 2, 4)


PLANS = {
    "full": OutboxPlan(rows=20_000, rounds=7, changes=1_000_000),
    "quick": OutboxPlan(rows=5_000, rounds=5, changes=40_000),
    "tiny": OutboxPlan(rows=500, rounds=1, changes=400, workers=(1, 2)),
}


def measure_outbox(plan: OutboxPlan, admin: Connection) -> dict[str, Any]:
    """Fill the present database with a channel of listings and measure both parts."""
    channel_id = make_listings(admin, max(plan.rows, plan.changes // CHANGES_EACH))
    _make_floor(admin, plan.rows)
    pairs = []
    for number in range(plan.rounds + 1):
        turns = {}
        for name in ("ours", "floor") if number % 2 else ("floor", "ours"):
            if name == "ours":
                change_all(admin, times=1, rows=plan.rows)
                turns[name] = _claim_and_settle(channel_id)
            else:
                admin.execute("UPDATE floor_outbox.push SET ver = ver + 1, qty = qty + 1")
                admin.execute("VACUUM floor_outbox.push")
                turns[name] = _floor()
        if number:  # the first one warms up
            pairs.append((turns["ours"], turns["floor"]))
    return {
        "batch": BATCH,
        "rows": plan.rows,
        "ours_per_s": round(statistics.median(plan.rows / ours[0] for ours, _ in pairs)),
        "floor_per_s": round(statistics.median(plan.rows / floor[0] for _, floor in pairs)),
        "ratio": round(statistics.median(floor[0] / ours[0] for ours, floor in pairs), 3),
        "cpu_us": round(statistics.median(ours[1] / plan.rows for ours, _ in pairs) * 1e6, 1),
        "cpu_ratio": round(statistics.median(ours[1] / floor[1] for ours, floor in pairs), 2),
        "drains": _drains(plan, admin, channel_id),
    }


# --- the data ---


def make_listings(admin: Connection, count: int) -> int:
    """A channel with `count` listings whose figure was sent; returns its id. Each has a line with a real derivation."""
    from channels_sync.credentials import Secrets, encrypt
    from channels_sync.models import Channel, ChannelMode, Listing, PublicationLine
    from channels_sync.operations.metering import ensure_account
    from channels_sync.operations.recomputing import recompute_listings
    from inventory.models import Item

    channel = Channel.objects.create(
        code="bench-sink",
        name="Bench sink",
        adapter="shopify",
        mode=ChannelMode.AUTO,
        base_url="http://127.0.0.1:9",
        external_location_id="place",
        credentials=encrypt(Secrets(access_token="token")),
    )
    item = Item.objects.create(sku="BENCH-SOLD", name="Sold everywhere", is_sellable=True)
    listing = Listing.objects.create(channel=channel, item=item, external_sku="SKU-0", external_item_id="item-0")
    recompute_listings(listings=[listing], cause="bench")
    line = PublicationLine.objects.get(listing=listing)
    admin.execute(
        "INSERT INTO channels_sync_listing (channel_id, item_id, external_sku, external_item_id, title, pack_size, is_active,"
        " created_at) SELECT %s, %s, 'SKU-' || n, 'item-' || n, '', 1, true, now() FROM generate_series(1, %s) AS n",
        (channel.pk, item.pk, count - 1),
    )
    admin.execute(
        "INSERT INTO channels_sync_listingpush (listing_id, channel_id, wanted, run_id, is_held, version, sent_version,"
        " confirmed_version, channel_quantity, channel_quantity_at, attempts, last_error)"
        " SELECT id, channel_id, 5, %s, false, 1, 0, 0, 5, now(), 0, '' FROM channels_sync_listing"
        " WHERE channel_id = %s AND id <> %s",
        (line.run_id, channel.pk, listing.pk),
    )
    admin.execute(
        "UPDATE channels_sync_listingpush SET wanted = 5, sent_version = version, confirmed_version = version,"
        " channel_quantity = 5, channel_quantity_at = now() WHERE channel_id = %s",
        (channel.pk,),
    )
    _write_lines(admin, line.pk)
    ensure_account(channel)
    admin.execute("UPDATE channels_sync_sendingaccount SET bucket_points = 100000000, points = 100000000")
    admin.execute("VACUUM ANALYZE channels_sync_listing, channels_sync_listingpush, channels_sync_publicationline")
    return channel.pk


def change_all(admin: Connection, *, times: int, rows: int | None = None) -> float:
    """Give each listing (or the first `rows`) a new figure `times` times, as a recompute writes it; returns the seconds.

    Only the newest is left to be sent. Its line in the history is written and vacuuming is done off the clock.
    """
    from channels_sync.operations.ranking import DUE_BY

    began = time.perf_counter()
    for _ in range(times):
        admin.execute(
            "UPDATE channels_sync_listingpush p SET wanted = u.wanted, version = p.version + 1, attempts = 0,"
            f" next_at = NULL, last_error = '', due_by = {DUE_BY} FROM (SELECT listing_id, wanted + 1 AS wanted"
            "  FROM channels_sync_listingpush ORDER BY listing_id LIMIT %s) u WHERE p.listing_id = u.listing_id",
            (rows,),
        )
    seconds = time.perf_counter() - began
    row = admin.execute("SELECT min(id) FROM channels_sync_publicationline").fetchone()
    assert row is not None
    _write_lines(admin, row[0])
    admin.execute("VACUUM channels_sync_listingpush, channels_sync_publicationline")
    return seconds


def _write_lines(admin: Connection, like: int) -> None:
    """A line for the newest version of each listing that has none; the oldest ones go, so that the table does not grow."""
    admin.execute(
        "INSERT INTO channels_sync_publicationline (run_id, listing_id, version, before, after, derivation, state, error,"
        " recorded_at) SELECT l.run_id, p.listing_id, p.version, NULL, p.wanted, l.derivation, 'queued', '', now()"
        " FROM channels_sync_listingpush p JOIN channels_sync_publicationline l ON l.id = %s"
        " WHERE NOT EXISTS (SELECT FROM channels_sync_publicationline o"
        "  WHERE o.listing_id = p.listing_id AND o.version = p.version)",
        (like,),
    )
    admin.execute(
        "DELETE FROM channels_sync_publicationline o USING channels_sync_listingpush p"
        " WHERE p.listing_id = o.listing_id AND o.version < p.version AND o.id <> %s",
        (like,),
    )


def _make_floor(admin: Connection, rows: int) -> None:
    run_script(admin, "outbox.sql")
    role = urlsplit(os.environ["DATABASE_URL"]).username
    admin.execute(f'GRANT USAGE ON SCHEMA floor_outbox TO "{role}"')
    admin.execute(f'GRANT ALL ON floor_outbox.push TO "{role}"')
    admin.execute("INSERT INTO floor_outbox.push SELECT g, 1, 'SKU-' || g, 5 FROM generate_series(1, %s) g", (rows,))
    admin.execute("VACUUM ANALYZE floor_outbox.push")


# --- claiming and settling ---


def _cpu_seconds(pid: int) -> float:
    with Path(f"/proc/{pid}/schedstat").open(encoding="ascii") as file:
        return int(file.read().split()[0]) / 1e9


def _claim_and_settle(channel_id: int) -> tuple[float, float]:
    """Seconds on the clock and of CPU (ours and the database's) until nothing is due."""
    from django.db import connection

    from channels_sync.operations.outbox import Accepted, claim_due, settle

    connection.ensure_connection()
    pids = (os.getpid(), connection.connection.info.backend_pid)
    cpu, began = sum(map(_cpu_seconds, pids)), time.perf_counter()
    while claims := claim_due(channel_id=channel_id, rows_max=BATCH):
        settle([Accepted(claim, claim.wanted) for claim in claims])
    return time.perf_counter() - began, sum(map(_cpu_seconds, pids)) - cpu


def _floor() -> tuple[float, float]:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, prepare_threshold=1) as floor:
        pids = (os.getpid(), floor.info.backend_pid)
        cpu, began = sum(map(_cpu_seconds, pids)), time.perf_counter()
        while rows := floor.execute(FLOOR_CLAIM, ([1], BATCH)).fetchall():
            ids, quantities, versions = [r[0] for r in rows], [r[2] for r in rows], [r[3] for r in rows]
            floor.execute(FLOOR_DONE, (ids, versions, quantities))
        return time.perf_counter() - began, sum(map(_cpu_seconds, pids)) - cpu


# --- draining ---


class Sink:
    """A channel in our own process that says yes to everything."""

    def __init__(self, account: Any, name: str) -> None:
        from channels_sync.adapters.base import ChannelLimits, QuantityMeaning

        self.name = name
        self.capabilities: frozenset[Any] = frozenset()
        self.quantity_meaning = QuantityMeaning.AVAILABLE
        self.limits = ChannelLimits(BATCH, BATCH, 1_000_000_000, 1_000_000_000, 1_000, 1)
        self._meter = account.meter

    def close(self) -> None: ...

    def publish_quantities(self, pushes: Sequence[Any], **_keys: Any) -> list[Any]:
        from channels_sync.adapters.base import PushOutcome, PushState

        self._meter.pay(1)
        return [PushOutcome(push.listing_ref, PushState.ACCEPTED, channel_quantity=push.quantity) for push in pushes]

    def read_quantities(self, targets: Sequence[Any]) -> list[Any]:
        raise AssertionError(f"the sink's figures are known, and {len(targets)} are read")

    def read_location(self, external_location_id: str) -> Any:
        raise AssertionError(f"nobody asks for all of {external_location_id}")


def _drain(channel_id: int, start: Barrier, told: Any) -> None:
    import logging

    from django.db import connection

    from channels_sync.operations import opening
    from channels_sync.operations.publishing import publish_due

    logging.disable(logging.INFO)
    connection.close()
    opening.adapter_for = lambda *, name, account: Sink(account, name)  # type: ignore[attr-defined]
    sent = 0
    start.wait()
    began = time.perf_counter()
    while (result := publish_due(channel_id=channel_id, rows_max=BATCH)).claimed:
        sent += result.accepted
    told.put((sent, began, time.perf_counter()))


def _drains(plan: OutboxPlan, admin: Connection, channel_id: int) -> list[dict[str, Any]]:
    from django.db import connection

    connection.close()
    found = []
    for workers in plan.workers:
        rows = plan.changes // CHANGES_EACH
        marking = change_all(admin, times=CHANGES_EACH, rows=rows)
        start = multiprocessing.Barrier(workers)
        told: multiprocessing.Queue[Any] = multiprocessing.Queue()
        processes = [multiprocessing.Process(target=_drain, args=(channel_id, start, told)) for _ in range(workers)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert all(process.exitcode == 0 for process in processes), "a worker of the bench failed"
        answers = [told.get() for _ in processes]
        seconds = max(ended for _, _, ended in answers) - min(began for _, began, _ in answers)
        left = admin.execute("SELECT count(*) FROM channels_sync_listingpush WHERE version > sent_version").fetchone()
        assert left is not None
        found.append(
            {
                "changes": plan.changes,
                "sent": sum(sent for sent, _, _ in answers),
                "left": left[0],
                "workers": workers,
                "coalesced_per_s": round(plan.changes / marking),
                "drained_per_s": round(rows / seconds),
                "changes_per_s": round(plan.changes / seconds),
            }
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.outbox", description=__doc__)
    parser.add_argument("--plan", choices=PLANS, default="full")
    parser.add_argument("--changes", type=int, help="to be coalesced and drained")
    parser.add_argument("--rows", type=int, help="of each turn of the comparison")
    parser.add_argument("--rounds", type=int)
    options = parser.parse_args()
    usual = PLANS[options.plan]
    plan = OutboxPlan(
        options.rows or usual.rows, options.rounds or usual.rounds, options.changes or usual.changes, usual.workers
    )
    multiprocessing.set_start_method("fork")
    make_database("backflush_bench_outbox")
    import django

    django.setup()
    with connect_as_owner() as admin:
        show_outbox(measure_outbox(plan, admin))
    print(f"Load of the machine: {[round(value, 2) for value in os.getloadavg()]}")


def show_outbox(found: dict[str, Any]) -> None:
    """Print what was measured."""
    from bench.report import print_rows

    print_rows("Outbox, claimed and settled", [found], "rows batch ours_per_s floor_per_s ratio cpu_us cpu_ratio")
    print_rows("Outbox, drained into a local sink", found["drains"])


if __name__ == "__main__":
    main()
