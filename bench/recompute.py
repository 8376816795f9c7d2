"""`make bench`, second part: how long it takes to work out what every listing shows, and what one completion changes.

A catalogue in a database of its own: a fifth of the items is made of LINES components each, a screw is in all of them, and
every item is offered on CHANNELS channels, which count what could be built. The floor of the full recompute is two statements on
the least tables: what could be built of every item, and all quantities from what is sellable, each compared with what stands
there. What one completion changes is measured in a small catalogue and in the large one.
"""

import argparse
import os
import random
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import django

from bench.database import ROOT, Connection, connect_as_owner, use_database

LINES, CHANNELS, STOCK, PLENTY = 20, 10, 1_000, 10_000_000
SMALL_SHARE = 20
"""The small catalogue is so much smaller."""
SIZES = {"full": 100_000, "quick": 4_000, "tiny": 400}
COMPLETIONS = {"full": 15, "quick": 7, "tiny": 2}
FULL_RATIO_MAX, STEP_MS_MAX, SCREW_MS_MAX, GROWTH_MAX = 2.0, 20.0, 100.0, 1.5
_ITEM_FIELDS = (
    "id, sku, name, description, kind, barcode, is_active, is_sellable, stock_unit, step, tracking, inspection_required,"
    " cost_method, supply_policy, over_completion_percent, compliance_tags, hs_code, origin_country, note, created_at, updated_at"
)
_FLOOR = """
CREATE SCHEMA IF NOT EXISTS floor;
DROP TABLE IF EXISTS floor.listing, floor.item, floor.line;
CREATE TABLE floor.item AS SELECT i.id, coalesce(s.on_hand, 0) AS on_hand, coalesce(s.reserved, 0) AS reserved,
    coalesce(b.makeable, 0) AS buildable, coalesce(b.free, 0) + coalesce(b.makeable, 0) AS sellable
  FROM inventory_item i LEFT JOIN channels_sync_buildfigure b ON b.item_id = i.id
  LEFT JOIN (SELECT item_id, sum(quantity) AS on_hand, sum(reserved) AS reserved FROM inventory_stockbalance GROUP BY 1) s
    ON s.item_id = i.id;
ALTER TABLE floor.item ADD PRIMARY KEY (id);
CREATE TABLE floor.line AS SELECT b.item_id AS made_id, l.component_id, l.quantity AS each
  FROM production_bomline l JOIN production_bom b ON b.id = l.bom_id;
ALTER TABLE floor.line ADD PRIMARY KEY (made_id, component_id);
CREATE TABLE floor.listing AS SELECT l.id, l.item_id, l.channel_id, (a.percent / 100)::numeric AS share, a.buffer::int AS buffer,
  p.wanted AS qty, 1 AS ver FROM channels_sync_listing l JOIN channels_sync_listingpush p ON p.listing_id = l.id
  JOIN channels_sync_allocationpolicy a ON a.channel_id = l.channel_id;
ALTER TABLE floor.listing ADD PRIMARY KEY (id);
CREATE INDEX ON floor.listing (item_id);
VACUUM ANALYZE floor.item;
VACUUM ANALYZE floor.line;
VACUUM ANALYZE floor.listing
"""
_FLOOR_ITEMS = """
WITH built AS (
  SELECT l.made_id AS id, greatest(0, min(floor((k.on_hand - k.reserved) / l.each))) AS n
  FROM floor.line l JOIN floor.item k ON k.id = l.component_id GROUP BY 1
)
UPDATE floor.item i SET buildable = coalesce(n, 0), sellable = i.on_hand - i.reserved + coalesce(n, 0)
FROM floor.item j LEFT JOIN built USING (id)
WHERE j.id = i.id AND (i.buildable, i.sellable) IS DISTINCT FROM (coalesce(n, 0), i.on_hand - i.reserved + coalesce(n, 0))
"""
_FLOOR_UPDATE = """
UPDATE floor.listing l SET qty = v.q, ver = ver + 1
FROM (SELECT l.id, greatest(0, floor((i.sellable - l.buffer) * l.share))::int AS q
      FROM floor.listing l JOIN floor.item i ON i.id = l.item_id) v
WHERE v.id = l.id AND l.qty IS DISTINCT FROM v.q
"""
_WANTED = """
UPDATE channels_sync_listingpush p
SET wanted = greatest(0, floor((b.free + coalesce(b.makeable, 0) - a.buffer) * a.percent / 100))
FROM channels_sync_listing l JOIN channels_sync_allocationpolicy a ON a.channel_id = l.channel_id
JOIN channels_sync_buildfigure b ON b.item_id = l.item_id
WHERE l.id = p.listing_id
"""
_TAKE = """
UPDATE inventory_stockbalance b SET quantity = b.quantity + u.quantity
FROM unnest(%s::bigint[], %s::numeric[]) AS u(item_id, quantity) WHERE b.item_id = u.item_id
"""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Ids of what was loaded; made items come first, the screw is the last one."""

    first_item: int
    items: int
    lines: dict[int, list[int]]

    @property
    def screw(self) -> int:
        return self.first_item + self.items - 1

    @property
    def listings(self) -> int:
        return self.items * CHANNELS


def load(connection: Connection, *, name: str, items: int, place_id: int) -> Catalogue:
    """Write a catalogue by COPY, with its stock, BOMs and listings; every figure was sent and confirmed once."""
    chance = random.Random(7)
    made = items // 5

    def copy(target: str, rows: Iterator[str]) -> None:
        with connection.cursor().copy(f"COPY {target} FROM STDIN") as out:
            for row in rows:
                out.write(row)

    def first(table: str) -> int:
        row = connection.execute(f"SELECT coalesce(max(id), 0) + 1 FROM {table}").fetchone()
        assert row is not None
        return int(row[0])

    now = "2026-01-01T00:00:00+00:00"
    item, lot, bom = first("inventory_item"), first("inventory_lot"), first("production_bom")
    posting, listing = first("inventory_posting"), first("channels_sync_listing")
    last = item + items - 1
    lines = {
        item + n: [*chance.sample(range(item + made, last), min(LINES - 1, items - made - 1)), last]
        for n in range(made)
    }
    copy(
        f"inventory_item ({_ITEM_FIELDS})",
        (
            f"{item + n}\t{name}-{n}\t{name} {n}\t\tproduct\t\tt\tt\tpcs\t1\tlot\tf\taverage\tstock\t0\t[]\t\t\t\t{now}\t{now}\n"
            for n in range(items)
        ),
    )
    copy(
        "inventory_lot (id, item_id, code, received_on, supplier_lot, note, created_at)",
        (f"{lot + n}\t{item + n}\tL1\t2026-01-01\t\t\t{now}\n" for n in range(items)),
    )
    copy(
        "inventory_posting (id, key, request_hash, kind, reference, reason, note, effective_at, recorded_at)",
        iter([f"{posting}\t{posting:032x}\t\\\\x00\treceipt\tBENCH\t\t\t{now}\t{now}\n"]),
    )

    def stock(n: int) -> int:
        return PLENTY if n == items - 1 else STOCK + n % 97

    copy(
        "inventory_movement (posting_id, item_id, location_id, lot_id, status, quantity, value, effective_at, recorded_at)",
        (
            f"{posting}\t{item + n}\t{place_id}\t{lot + n}\tavailable\t{stock(n)}\t1\t{now}\t{now}\n"
            for n in range(items)
        ),
    )
    copy(
        "inventory_stockbalance (item_id, location_id, lot_id, status, quantity, reserved)",
        (f"{item + n}\t{place_id}\t{lot + n}\tavailable\t{stock(n)}\t0\n" for n in range(items)),
    )
    from production.models import Bom, BomLine

    boms = [Bom(id=bom + n, item_id=item + n, version=1, state="draft", effective_from=None) for n in range(made)]
    Bom.objects.bulk_create(boms, batch_size=5_000)
    BomLine.objects.bulk_create(
        (
            BomLine(bom_id=bom + n, position=place, component_id=component, quantity=1 + place % 3)
            for n in range(made)
            for place, component in enumerate(lines[item + n])
        ),
        batch_size=5_000,
    )
    Bom.objects.filter(id__gte=bom).update(state="active", effective_from="2020-01-01")
    copy(
        "channels_sync_listing (id, channel_id, item_id, external_sku, external_item_id, title, pack_size, is_active,"
        " created_at)",
        (
            f"{listing + n * CHANNELS + c}\t{c + 1}\t{item + n}\t{name}-{n}\tgid-{n}\t\t1\tt\t{now}\n"
            for n in range(items)
            for c in range(CHANNELS)
        ),
    )
    copy(
        "channels_sync_listingpush (listing_id, channel_id, wanted, version, sent_version, confirmed_version, attempts,"
        " last_error, is_held)",
        (f"{listing + n * CHANNELS + c}\t{c + 1}\t0\t1\t1\t1\t0\t\tf\n" for n in range(items) for c in range(CHANNELS)),
    )
    for table in ("inventory_item", "inventory_lot", "inventory_posting", "production_bom", "channels_sync_listing"):
        connection.execute(f"SELECT setval(pg_get_serial_sequence(%s, 'id'), (SELECT max(id) FROM {table}))", (table,))
    return Catalogue(item, items, lines)


def make_channels() -> None:
    """Channels with the numbers 1 to CHANNELS, in automatic mode, and a rule for each; everything counts what could be built."""
    from django.utils import timezone

    from channels_sync.models import AllocationPolicy, Channel, ChannelGuard

    long_ago = timezone.now() - timedelta(days=400)
    AllocationPolicy.objects.create(basis="buildable", version=1, effective_from=long_ago)
    for number in range(1, CHANNELS + 1):
        channel = Channel.objects.create(
            id=number, code=f"bench-{number}", name=f"Bench {number}", mode="auto", base_url="http://127.0.0.1:9"
        )
        ChannelGuard.objects.create(channel=channel, changed_percent=None, to_zero_max=None)
        AllocationPolicy.objects.create(
            channel=channel,
            version=1,
            effective_from=long_ago,
            percent=(10, 50, 100)[number % 3],
            buffer=number % 3,
        )


def settle(admin: Connection) -> None:
    """Note what could be built and give every listing the figure it should have, so that nothing is left to do."""
    from django.utils import timezone

    from channels_sync.operations.building import note_everything

    note_everything(now=timezone.now())
    admin.execute("DELETE FROM inventory_stockchange")
    admin.execute(_WANTED)
    admin.execute("VACUUM ANALYZE")


def full_recompute(admin: Connection, *, rounds: int) -> dict[str, Any]:
    """Seconds of a recompute that changes nothing beside the floor, taken in turns."""
    from bench.report import rounded
    from channels_sync.operations.recomputing import recompute_all

    for statement in _FLOOR.split(";\n"):
        admin.execute(statement)
    ours, floor, cpu_ratios = [], [], []
    result = None
    at_work = _Clock(_backend(admin)), _Clock(_own_backend(), with_process=True)
    for number in range(rounds + 1):
        with at_work[0] as least:
            touched = [admin.execute(statement).rowcount for statement in (_FLOOR_ITEMS, _FLOOR_UPDATE)]
        assert not any(touched), f"nothing changed, and the floor writes {touched}"
        with at_work[1] as mine:
            result = recompute_all(cause="bench")
        if number:  # the first round warms the caches
            floor.append(least.seconds)
            ours.append(mine.seconds)
            cpu_ratios.append(mine.cpu / least.cpu if least.cpu else None)
    assert result is not None
    ratios = [mine / least for mine, least in zip(ours, floor, strict=True)]
    known = [ratio for ratio in cpu_ratios if ratio is not None]
    return {
        "listings": result.checked,
        "changed": result.changed + result.held,
        "ours_s": rounded(statistics.median(ours), 3),
        "floor_s": rounded(statistics.median(floor), 3),
        "ratio": rounded(statistics.median(ratios), 2),
        "cpu_ratio": rounded(statistics.median(known), 2) if known else None,
    }


class _Clock:
    """Seconds and CPU seconds of one database backend, and of this process where asked."""

    def __init__(self, backend: int, *, with_process: bool = False) -> None:
        self._backend, self._with_process = backend, with_process
        self.seconds = self.cpu = 0.0

    def _now(self) -> tuple[float, float]:
        from bench.clients import cpu_seconds

        own = time.process_time() if self._with_process else 0.0
        return time.perf_counter(), (cpu_seconds([self._backend]) or 0.0) + own

    def __enter__(self) -> "_Clock":
        self._began = self._now()
        return self

    def __exit__(self, *_error: object) -> None:
        self.seconds, self.cpu = (now - began for now, began in zip(self._now(), self._began, strict=True))


def _backend(connection: Connection) -> int:
    return connection.info.backend_pid


def _own_backend() -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    return int(pid)


def after_completions(catalogue: Catalogue, *, times: int, with_screw: bool) -> dict[str, Any]:
    """Milliseconds of taking in the news of completions: one more of a product, one less of each of its components."""
    from django.db import connection

    from bench.report import rounded
    from channels_sync.models import PublicationLine
    from channels_sync.operations.absorbing import absorb_changes
    from config.celery import leave_out_what_is_loaded
    from inventory.models import StockChange

    leave_out_what_is_loaded()  # as the workers do that take in news
    chance = random.Random(11)
    taken, cpu, changed = [], [], 0
    clock = _Clock(_own_backend(), with_process=True)
    for number in range(times + 2):
        made = chance.choice(list(catalogue.lines))
        components = catalogue.lines[made] if with_screw else catalogue.lines[made][:-1]
        items = [made, *components]
        with connection.cursor() as cursor:
            cursor.execute(_TAKE, [items, [1, *[-1 for _ in components]]])
        StockChange.objects.create(items=items, cause="completion")
        before = PublicationLine.objects.count()
        with clock:
            absorb_changes()
        if number >= 2:
            taken.append(clock.seconds * 1000)
            cpu.append(clock.cpu * 1000)
            changed += PublicationLine.objects.count() - before
    return {
        "listings": catalogue.listings,
        "with_screw": with_screw,
        "changed_each": rounded(changed / times, 1),
        "p50_ms": rounded(statistics.median(taken), 1),
        "max_ms": rounded(max(taken), 1),
        "cpu_ms": rounded(statistics.median(cpu), 1),
    }


def rule_of_a_channel(catalogue: Catalogue) -> dict[str, Any]:
    """A new rule of one channel, worked through by one worker as a task does it: seconds, transactions, the longest of them."""
    from bench.report import rounded
    from channels_sync.models import Channel, ListingPush
    from channels_sync.operations.absorbing import absorb_changes, absorb_wide
    from channels_sync.operations.allocating import set_policy

    channel = Channel.objects.get(pk=1)
    before = dict(ListingPush.objects.filter(channel=channel).values_list("listing_id", "version"))
    began = time.perf_counter()
    set_policy(channel=channel, percent=Decimal(40), buffer=Decimal(7), actor=None)
    told = time.perf_counter()
    steps = []
    while True:
        starts = time.perf_counter()
        if not absorb_changes() + absorb_wide():
            break
        steps.append(time.perf_counter() - starts)
    ended = time.perf_counter()
    after = ListingPush.objects.filter(channel=channel).values_list("listing_id", "version")
    return {
        "listings_touched": catalogue.listings,
        "changed": sum(before[listing] != version for listing, version in after),
        "request_s": rounded(told - began, 2),
        "worked_through_s": rounded(ended - told, 1),
        "steps": len(steps),
        "longest_step_s": rounded(max(steps), 2),
    }


def run(plan: str, *, path: Path) -> dict[str, Any]:
    """Fill an empty database, measure, print, write. Returns the results."""
    from bench.dataset import make_place
    from bench.report import machine, write

    size, times = SIZES[plan], COMPLETIONS[plan]
    steps: list[dict[str, Any]] = []
    with connect_as_owner() as admin:
        place = make_place()
        make_channels()
        small = load(admin, name="SMALL", items=max(size // SMALL_SHARE, 60), place_id=place.pk)
        settle(admin)
        steps += [after_completions(small, times=times, with_screw=screw) for screw in (False, True)]
        large = load(admin, name="LARGE", items=size, place_id=place.pk)
        settle(admin)
        full = full_recompute(admin, rounds=3)
        steps += [after_completions(large, times=times, with_screw=screw) for screw in (False, True)]
        rule = rule_of_a_channel(large)
        results = {"machine": machine(admin), "full": full, "after_completion": steps, "rule_of_a_channel": rule}
    results["targets"] = targets(results)
    write({"recompute": results}, path=path)
    show(results)
    return results


def targets(results: dict[str, Any]) -> list[dict[str, Any]]:
    full = results["full"]
    small, _, large, large_screw = results["after_completion"]
    growth = round(large["cpu_ms"] / small["cpu_ms"], 2)
    wanted = [
        ("P10", "full recompute, nothing changed, of the floor: at most 2", full["ratio"], FULL_RATIO_MAX),
        ("", "the same in CPU seconds, which other load disturbs less: at most 2", full["cpu_ratio"], FULL_RATIO_MAX),
        ("P11", "after one completion, ms: at most 20", large["p50_ms"], STEP_MS_MAX),
        ("", "the same with the screw of every product, ms: at most 100", large_screw["p50_ms"], SCREW_MS_MAX),
        ("", f"CPU in the large catalogue of one {SMALL_SHARE} times smaller: at most 1.5", growth, GROWTH_MAX),
    ]
    return [
        {"id": i, "what": what, "value": value, "reached": value is not None and value <= most}
        for i, what, value, most in wanted
    ]


def show(results: dict[str, Any]) -> None:
    from bench.report import print_table

    print_table("Full recompute, nothing changed", list(results["full"]), [list(results["full"].values())])
    rows = results["after_completion"]
    print_table("After one completion", list(rows[0]), [list(row.values()) for row in rows])
    rule = results["rule_of_a_channel"]
    print_table("A rule on a channel", list(rule), [list(rule.values())])
    words = {True: "reached", False: "MISSED"}
    table = [[one["id"], one["what"], one["value"], words[one["reached"]]] for one in results["targets"]]
    print_table("Promised figures", ("", "figure", "now", ""), table)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.recompute", description=__doc__)
    parser.add_argument("--quick", action="store_const", dest="plan", const="quick", default="full")
    parser.add_argument("--plan", choices=SIZES, help="tiny only shows that it runs")
    parser.add_argument("--output", type=Path, default=ROOT / "var" / "bench.json")
    parser.add_argument("--database", default="backflush_bench_catalogue", help="made for it, and dropped first")
    options, _ = parser.parse_known_args()
    os.environ.setdefault("WAKE_ON_STOCK_CHANGE", "")
    use_database(options.database, make=True)
    django.setup()
    run(options.plan, path=options.output)


if __name__ == "__main__":
    main()
