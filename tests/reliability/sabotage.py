"""Promises broken on purpose, to see that the run notices. Each takes the place of a few lines of the product.

`answer-before-commit`: the API answers while its transaction is still open. Caught as acknowledged and missing.
`news-apart`: the news of stock is deleted in another transaction than the one that writes what follows from it. Caught as a
shop that ends at the wrong quantity.
`lease-for-ever`: the rows of a dead sender are never given to another one. Caught as rows that stay due.
"""

import queue
import threading
import time

WINDOW_SECONDS = 0.3
"""How long the broken promise can be hit by a kill."""


def answer_before_commit():
    from django.db import connections

    from inventory.api import idempotency

    real = idempotency.run_in_transaction

    def run(work):
        answers = queue.Queue()

        def work_slowly():
            result = work()
            answers.put((result, None))
            time.sleep(WINDOW_SECONDS)
            return result

        def commit_later():
            try:
                real(work_slowly)
            except Exception as error:
                answers.put((None, error))
            finally:
                connections.close_all()

        threading.Thread(target=commit_later).start()
        result, error = answers.get()
        if error is not None:
            raise error
        return result

    idempotency.run_in_transaction = run


def news_apart():
    from django.db import connection, transaction

    from channels_sync import tasks
    from channels_sync.models import Listing
    from channels_sync.operations.recomputing import recompute_listings

    def absorb_changes(*, rows_max=200):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM inventory_stockchange WHERE id = ANY(ARRAY("
                "SELECT id FROM inventory_stockchange ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)) RETURNING items",
                [rows_max],
            )
            news = cursor.fetchall()
        items = {item_id for (touched,) in news for item_id in touched}
        time.sleep(WINDOW_SECONDS)
        if items:
            recompute_listings(cause="sabotage", listings=Listing.objects.filter(item__in=items))
        return len(news)

    tasks.absorb_changes = absorb_changes


def lease_for_ever():
    from channels_sync.operations import outbox

    outbox.LEASE_SECONDS = 10_000_000


BY_NAME = {
    "answer-before-commit": answer_before_commit,
    "news-apart": news_apart,
    "lease-for-ever": lease_for_ever,
}
