"""Reading what the database and the shop hold after the run. Django must be set up."""

from collections import Counter, defaultdict

from tests.reliability.checks import Stored
from tests.reliability.workshop import CHANNEL, shop


def read_stored(workshop):
    """What the run left in the database."""
    stored = Stored()
    since = [workshop.last_posting_before]
    for posting_id, key, kind, reverses in rows(
        "SELECT id, key, kind, reverses_id FROM inventory_posting WHERE id > %s", since
    ):
        stored.postings[posting_id] = (str(key), kind, reverses)
    moved = defaultdict(dict)
    for posting_id, sku, quantity, number in rows(
        "SELECT m.posting_id, i.sku, sum(m.quantity), count(*) FROM inventory_movement m"
        " JOIN inventory_item i ON i.id = m.item_id WHERE m.posting_id > %s GROUP BY 1, 2",
        since,
    ):
        moved[posting_id][sku] = quantity
        stored.movements[posting_id] += number
    stored.moved = dict(moved)
    for posting_id, sku, good, reversed_good, lines in rows(
        "SELECT c.posting_id, i.sku, c.good, c.reversed_good,"
        " (SELECT count(*) FROM production_completionline l WHERE l.completion_id = c.posting_id)"
        " FROM production_completion c JOIN inventory_item i ON i.id = c.item_id WHERE c.posting_id > %s",
        since,
    ):
        stored.completions[posting_id] = (sku, good, reversed_good, lines)
    stored.told = {posting_id for (posting_id,) in rows("SELECT posting_id FROM reliability_news", [])}
    for sku, quantity in rows(
        "SELECT i.sku, sum(b.quantity) FROM inventory_stockbalance b JOIN inventory_item i ON i.id = b.item_id"
        " GROUP BY 1",
        [],
    ):
        stored.on_hand[sku] = quantity
    return stored


def broken_invariants():
    """Every finding of every app's invariants, as `verify_ledger` looks for them."""
    from channels_sync.invariants import INVARIANTS as OF_CHANNELS
    from inventory.invariants import INVARIANTS as OF_INVENTORY
    from production.invariants import INVARIANTS as OF_PRODUCTION

    return [
        f"{invariant.name}: {finding}"
        for invariant in (*OF_INVENTORY, *OF_PRODUCTION, *OF_CHANNELS)
        for finding in invariant.find()
    ]


def shown_in_the_shop():
    """What a shopper could buy, by SKU."""
    with shop() as control:
        return {product["sku"]: int(product["available"]) for product in control.products()}


def work_that_waits():
    """Counts of what the workers still have to do and of rows that somebody holds; seconds of leases, and of pauses."""
    (found,) = rows(
        "SELECT (SELECT count(*) FROM inventory_stockchange),"
        " count(*) FILTER (WHERE p.version > p.sent_version),"
        " count(*) FILTER (WHERE p.sent_version > p.confirmed_version),"
        " count(*) FILTER (WHERE p.lease_until IS NOT NULL),"
        " coalesce(extract(epoch FROM max(p.lease_until) - clock_timestamp()), 0),"
        " coalesce(extract(epoch FROM max(p.next_at) - clock_timestamp()), 0)"
        " FROM channels_sync_listingpush p JOIN channels_sync_channel c ON c.id = p.channel_id WHERE c.code = %s",
        [CHANNEL],
    )
    names = ("news", "to send", "to confirm", "held")
    return Counter(dict(zip(names, found[:4], strict=True))), max(0.0, float(found[4])), max(0.0, float(found[5]))


def lines_by_state():
    return Counter(dict(rows("SELECT state, count(*) FROM channels_sync_publicationline GROUP BY 1", [])))


def refusals_by_the_shop():
    """What the shop refused for good, in words, with how often: trouble on the way is no refusal."""
    return Counter(
        dict(
            rows(
                "SELECT regexp_replace(error, 'KILL-[A-Z0-9]+', 'SKU', 'g'), count(*) FROM channels_sync_publicationline"
                " WHERE state = 'failed' GROUP BY 1",
                [],
            )
        )
    )


def errors_of_pushes():
    return [
        f"{sku}: {words}"
        for sku, words in rows(
            "SELECT l.external_sku, p.last_error FROM channels_sync_listingpush p"
            " JOIN channels_sync_listing l ON l.id = p.listing_id WHERE p.last_error <> ''",
            [],
        )
    ]


def rows(sql, parameters):
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()
