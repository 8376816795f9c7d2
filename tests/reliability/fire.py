"""A channel that answers as it likes, workers that are killed, and a stream of changes: what the outbox makes of it.

The channel is a table of its own: it sets a figure only from the one that was expected, does one call under each key, and
remembers the version it was told last, so that an older one that lands after a newer is seen. Its answers are drawn at random:
yes, throttled, failed before or after it did the work, silent after it did it, connection reset, or none at all, and the call
arrives some time later, when its sender may be dead and newer figures were sent.
"""

import multiprocessing
import os
import random
import signal
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
from django.db import connection
from django.db.models import F
from psycopg.types.json import Jsonb

from bench.database import in_database
from channels_sync.adapters.base import (
    Capability,
    ChannelLimits,
    PushOutcome,
    PushState,
    QuantityMeaning,
    QuantityReading,
)
from channels_sync.errors import ChannelThrottled, ChannelUnavailable
from channels_sync.models import ListingPush, SendingAccount
from channels_sync.operations import metering, opening, outbox, outbox_confirmed
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.confirming import confirm_sent
from channels_sync.operations.publishing import publish_due
from inventory.models import StockChange
from tests.channels_sync.factories import PLACE, let_all_flow, make_channel, make_listing
from tests.factories import make_item, make_location, put_on_hand

LEASE_SECONDS, READ_SECONDS, PAUSE_SECONDS_MAX = 3, 1, 0.2
"""Short, so that a run need not wait for minutes: the product's own are 120, 60 and 300."""
ANSWERS = ("yes",) * 6 + ("throttled", "failed before", "failed after", "silent after", "reset", "delayed")
ITEMS, LISTINGS_EACH, WORKERS = 5, 10, 3
ARRIVES_CHANCE = 0.1
"""That with a call one that was delayed arrives."""
REST_SECONDS_MAX = 120
STANDSTILL_SECONDS_MAX = 120
"""Without one figure sent for so long, nothing more is to be expected."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a run came to, with every call that was on its way having arrived."""

    pushes: int
    kills: int
    arrived_late: int
    older_after_newer: int
    differing: int  # listings whose figure at the channel is not ours
    unconfirmed: int
    leased: int


class FieryShop:
    """The channel as one worker sees it."""

    name = "fiery"
    capabilities = frozenset({Capability.PUBLISH_QUANTITIES, Capability.READ_QUANTITIES})
    limits = ChannelLimits(250, 250, 1_000_000_000, 2_000, 100, 10)
    quantity_meaning = QuantityMeaning.AVAILABLE

    def __init__(self, dice, meter):
        self.dice = dice
        self.meter = meter
        self.database = connect()

    def close(self):
        self.database.close()

    def publish_quantities(self, pushes, *, keys):
        self.meter.pay(1)
        (key,) = {push.idempotency_key for push in pushes}
        answer = self.dice.choice(ANSWERS)
        call = sorted([one.external_item_id, one.quantity, one.expected_quantity, one.version] for one in pushes)
        self.database.execute(
            "UPDATE fiery_shop SET pushes = pushes + 1 WHERE item = ANY(%s)", [[item for item, *_ in call]]
        )
        if self.dice.random() < ARRIVES_CHANCE:
            self.let_one_arrive()
        if answer == "throttled":
            raise ChannelThrottled("429", retry_after_seconds=0.01)
        if answer == "failed before":
            raise ChannelUnavailable("500", outcome_unknown=True)
        if answer == "reset" and self.dice.random() < 0.5:
            raise ChannelUnavailable("The connection was reset.", outcome_unknown=True)
        if answer == "delayed":
            self.database.execute("INSERT INTO fiery_late (key, call) VALUES (%s, %s)", [key, Jsonb(call)])
            raise ChannelUnavailable("No answer.", outcome_unknown=True)
        taken = self.do(key, call)
        if answer != "yes":
            raise ChannelUnavailable(f"{answer}.", outcome_unknown=True)
        if taken is None:
            return [
                PushOutcome(push.listing_ref, PushState.STALE, "MISMATCH", "Another call.", is_key_spent=True)
                for push in pushes
            ]
        return [
            PushOutcome(push.listing_ref, PushState.ACCEPTED, channel_quantity=push.quantity, is_key_spent=True)
            if push.external_item_id in taken
            else PushOutcome(push.listing_ref, PushState.STALE, "STALE", "Another figure.")
            for push in pushes
        ]

    def do(self, key, call):
        """The items that were set, at most once under a key; None when the key was used for another call.

        A call is known by its figures and expectations: of versions the channel knows nothing.
        """
        carried = [row[:3] for row in call]
        with self.database.transaction():
            self.database.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [key])
            self.database.execute(
                "SELECT FROM fiery_shop WHERE item = ANY(%s) ORDER BY item FOR UPDATE", [[item for item, *_ in call]]
            )
            known = self.database.execute("SELECT carried, taken FROM fiery_key WHERE key = %s", [key]).fetchone()
            if known is not None:
                return set(known[1]) if known[0] == carried else None
            done = self.database.execute(
                "UPDATE fiery_shop s SET shown = u.quantity, version = u.version, older = s.older + (s.version > u.version)::int"
                " FROM unnest(%s::text[], %s::int[], %s::int[], %s::bigint[]) AS u(item, quantity, expected, version)"
                " WHERE s.item = u.item AND s.shown = u.expected RETURNING s.item",
                [list(column) for column in zip(*call, strict=True)],
            ).fetchall()
            taken = sorted(item for (item,) in done)
            self.database.execute(
                "INSERT INTO fiery_key (key, carried, taken) VALUES (%s, %s, %s)", [key, Jsonb(carried), taken]
            )
        return set(taken)

    def let_one_arrive(self):
        """A call that was on its way for however long."""
        late = self.database.execute(
            "UPDATE fiery_late SET has_arrived = true WHERE id = (SELECT id FROM fiery_late WHERE NOT has_arrived"
            " ORDER BY random() LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING key, call"
        ).fetchone()
        if late is not None:
            self.do(*late)
        return late is not None

    def read_quantities(self, targets):
        self.meter.pay(1)
        if self.dice.random() < 0.2:
            raise ChannelUnavailable("503")
        items = [target.external_item_id for target in targets]
        rows = self.database.execute("SELECT item, shown FROM fiery_shop WHERE item = ANY(%s)", [items]).fetchall()
        shown = dict(rows)
        return [
            QuantityReading(
                one.listing_ref,
                one.external_item_id,
                PLACE,
                "",
                shown[one.external_item_id],
                None,
                None,
                datetime.now(UTC),
            )
            for one in targets
        ]

    def read_location(self, external_location_id):
        raise AssertionError("nobody asks for a whole location here")


def connect():
    """A connection beside Django's, to the same database."""
    url = os.environ.get("DATABASE_OWNER_URL") or os.environ["DATABASE_URL"]
    return psycopg.connect(in_database(url, connection.settings_dict["NAME"]), autocommit=True)


def work(channel_id, seed):
    """A worker until it is killed or asked to stop."""
    dice = random.Random(seed)
    outbox.LEASE_SECONDS = metering.PROBE_SECONDS = LEASE_SECONDS
    outbox_confirmed.CONFIRM_HOLD_SECONDS = READ_SECONDS
    metering.BACKOFF_SECONDS_MAX = PAUSE_SECONDS_MAX
    opening.adapter_for = lambda *, name, account: FieryShop(dice, account.meter)
    while True:
        absorb_changes(rows_max=20)
        publish_due(channel_id=channel_id, rows_max=dice.choice((5, 50, 200)))
        if dice.random() < 0.3:
            confirm_sent(channel_id=channel_id)
        if dice.random() < 0.2:
            time.sleep(0.01)


class Crew:
    """Workers, each in a process of its own; the killed are replaced."""

    def __init__(self, channel_id, dice):
        self.channel_id, self.dice = channel_id, dice
        self.processes = [self._start() for _ in range(WORKERS)]

    def _start(self):
        connection.close()  # a child must not end its parent's connection
        process = multiprocessing.get_context("fork").Process(
            target=work, args=(self.channel_id, self.dice.random()), daemon=True
        )
        process.start()
        return process

    def kill_one(self):
        number = self.dice.randrange(WORKERS)
        self.end(self.processes[number])
        self.processes[number] = self._start()

    @staticmethod
    def end(process):
        os.kill(process.pid, signal.SIGKILL)
        process.join()

    def end_all(self):
        for process in self.processes:
            if process.is_alive():
                self.end(process)


def run(*, pushes, kills, seed):
    """Change stock and kill workers until the channel was sent `pushes` figures; let it come to rest; look."""
    dice = random.Random(seed)
    channel = let_all_flow(make_channel(base_url="https://fire.example"))
    site = make_location()
    items = [make_item(is_sellable=True) for _ in range(ITEMS)]
    with closing(connect()) as database:
        database.execute(
            "CREATE TABLE fiery_shop (item text PRIMARY KEY, shown int NOT NULL DEFAULT 0, version bigint NOT NULL DEFAULT 0,"
            " older int NOT NULL DEFAULT 0, pushes int NOT NULL DEFAULT 0)"
        )
        database.execute("CREATE TABLE fiery_key (key text PRIMARY KEY, carried jsonb NOT NULL, taken text[] NOT NULL)")
        database.execute(
            "CREATE TABLE fiery_late (id bigserial PRIMARY KEY, key text NOT NULL, call jsonb NOT NULL,"
            " has_arrived boolean NOT NULL DEFAULT false)"
        )
        for number, item in enumerate(item for item in items for _ in range(LISTINGS_EACH)):
            make_listing(channel=channel, item=item, external_sku=f"S{number}", external_item_id=f"item-{number}")
            database.execute("INSERT INTO fiery_shop (item) VALUES (%s)", [f"item-{number}"])
        metering.ensure_account(channel)
        SendingAccount.objects.update(bucket_points=1_000_000, points=1_000_000, refill_points_per_second=10_000)
        crew = Crew(channel.pk, dice)
        killed, sent_before, moved_at = 0, 0, time.monotonic()
        try:
            while (sent := _sum(database, "pushes")) < pushes or killed < kills:
                if sent > sent_before:
                    sent_before, moved_at = sent, time.monotonic()
                assert time.monotonic() < moved_at + STANDSTILL_SECONDS_MAX, _standstill(sent)
                put_on_hand(dice.choice(items), site, str(dice.randint(1, 9)))
                if killed < min(kills, kills * sent // pushes + 1) and dice.random() < 0.3:
                    crew.kill_one()
                    killed += 1
            _come_to_rest(crew)
            arrived = database.execute("SELECT count(*) FROM fiery_late WHERE has_arrived").fetchone()[0]
            with closing(FieryShop(dice, meter=None)) as shop:
                while shop.let_one_arrive():
                    arrived += 1
        finally:
            crew.end_all()
            connection.close()
        shown = dict(database.execute("SELECT item, shown FROM fiery_shop").fetchall())
        rows = list(ListingPush.objects.select_related("listing"))
        return Found(
            pushes=_sum(database, "pushes"),
            kills=killed,
            arrived_late=arrived,
            older_after_newer=_sum(database, "older"),
            differing=sum(shown[row.listing.external_item_id] != row.wanted for row in rows),
            unconfirmed=sum(row.confirmed_version != row.version for row in rows),
            leased=sum(row.lease_until is not None for row in rows),
        )


def _sum(database, column):
    return database.execute(f"SELECT sum({column}) FROM fiery_shop").fetchone()[0]


def _standstill(sent):
    accounts = list(SendingAccount.objects.values("failures", "quiet_until", "points"))
    due = ListingPush.objects.filter(version__gt=F("sent_version")).count()
    return f"Nothing goes out any more after {sent} figures; {due} wait; accounts: {accounts}"


def _come_to_rest(crew):
    ends_at = time.monotonic() + REST_SECONDS_MAX
    while time.monotonic() < ends_at:
        assert all(process.is_alive() for process in crew.processes), "a worker ended by itself"
        ListingPush.objects.filter(attempts__gt=0).update(
            attempts=0
        )  # read-backs end after five times; here they go on
        behind = any(row.version != row.confirmed_version for row in ListingPush.objects.all())
        if not behind and not StockChange.objects.exists():
            return
        time.sleep(0.2)
