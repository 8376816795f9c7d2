"""Facts about published quantities that always hold; see inventory.invariants for what an invariant is."""

from __future__ import annotations

from channels_sync.allocation import Derivation, recompute
from channels_sync.models import PublicationLine
from inventory.invariants import FINDINGS_MAX, Invariant, query

LINES_PER_FETCH = 500


def derivations_recompute() -> list[str]:
    """The newest figure of each listing follows from what is stored with it."""
    findings: list[str] = []
    newest = (
        PublicationLine.objects.order_by("listing_id", "-version")
        .distinct("listing_id")
        .values_list("listing_id", "version", "after", "derivation")
    )
    for listing_id, version, after, stored in newest.iterator(chunk_size=LINES_PER_FETCH):
        try:
            derivation = Derivation.from_json(stored)
            again = recompute(derivation)
        except (ValueError, LookupError, TypeError, ArithmeticError) as error:
            findings.append(f"listing {listing_id} version {version}: the derivation cannot be read: {error!r}")
        else:
            if not after == again == derivation.quantity or derivation.offer.listing_id != listing_id:
                findings.append(
                    f"listing {listing_id} version {version}: {after} is stored, the derivation says {again}"
                )
        if len(findings) >= FINDINGS_MAX:
            break
    return findings


def derivations_agree_with_the_ledger() -> list[str]:
    """What a newest figure counted at its ledger cut-off is what the movements up to there sum to.

    All that was on hand in any status at the sources can be at most the item's movements up to the cut-off.
    """
    return query(
        """
        SELECT counted.listing_id, counted.version, counted.quantity, coalesce(moved.quantity, 0), counted.cutoff
        FROM (
          SELECT DISTINCT ON (p.listing_id) p.listing_id, p.version,
                 (p.derivation->'stock'->>'item')::bigint AS item_id, (p.derivation->'stock'->>'cutoff')::bigint AS cutoff,
                 (SELECT coalesce(sum((s->>'on_hand')::numeric + coalesce((s->>'expired')::numeric, 0)
                                       + coalesce((s->>'withheld')::numeric, 0)), 0)
                  FROM jsonb_array_elements(p.derivation->'stock'->'sources') AS s) AS quantity
          FROM channels_sync_publicationline p ORDER BY p.listing_id, p.version DESC
        ) counted
        CROSS JOIN LATERAL (
          SELECT sum(m.quantity) AS quantity FROM inventory_movement m
          WHERE m.item_id = counted.item_id AND m.id <= counted.cutoff
        ) moved
        WHERE counted.quantity > coalesce(moved.quantity, 0)
        """,
        words="listing {0} version {1} counted {2}, the movements up to {4} sum to {3}",
    )


def outbox_wants_the_newest_line() -> list[str]:
    return query(
        """
        SELECT p.listing_id, p.version, p.wanted, n.version, n.after, p.run_id, n.run_id FROM channels_sync_listingpush p
        LEFT JOIN LATERAL (SELECT l.version, l.after, l.run_id FROM channels_sync_publicationline l
                           WHERE l.listing_id = p.listing_id ORDER BY l.version DESC LIMIT 1) n ON true
        WHERE p.version <> coalesce(n.version, 0) OR p.wanted IS DISTINCT FROM n.after
           OR p.version > 0 AND p.run_id IS DISTINCT FROM n.run_id
        """,
        words="listing {0}: the outbox wants {2} in version {1} of run {5}, the newest line says {4} in version {3} of run {6}",
    )


def versions_in_order() -> list[str]:
    return query(
        "SELECT listing_id, confirmed_version, sent_version, version FROM channels_sync_listingpush"
        " WHERE NOT (confirmed_version <= sent_version AND sent_version <= version)",
        words="listing {0}: confirmed {1}, sent {2}, wanted {3}",
    )


def accepted_lines_were_sent() -> list[str]:
    return query(
        """
        SELECT l.listing_id, l.version, l.state, p.sent_version FROM channels_sync_publicationline l
        JOIN channels_sync_listingpush p ON p.listing_id = l.listing_id
        WHERE l.version > p.sent_version AND l.state IN ('accepted', 'confirmed')
           OR l.version = p.sent_version AND l.state NOT IN ('accepted', 'confirmed')
           OR l.version < p.version AND l.state = 'queued'
        """,
        words="listing {0} version {1} is {2}, though version {3} was the last one sent",
    )


def nothing_sent_is_forgotten() -> list[str]:
    """A line that is out belongs to a row somebody holds or held and that is still due: it will be taken up again."""
    return query(
        """
        SELECT l.listing_id, l.version, p.lease_until, p.sent_version FROM channels_sync_publicationline l
        JOIN channels_sync_listingpush p ON p.listing_id = l.listing_id
        WHERE l.state = 'sent' AND (p.lease_until IS NULL OR p.version = p.sent_version)
        """,
        words="listing {0} version {1} is out and nobody waits for the answer (lease until {2}, sent version {3})",
    )


def nothing_is_out_after_the_newest_answer() -> list[str]:
    """Once the newest figure was accepted, no call that got no answer is left whose key the channel could still take."""
    return query(
        "SELECT listing_id, call_key, version FROM channels_sync_listingpush"
        " WHERE call_key IS NOT NULL AND version = sent_version AND version > 0",
        words="listing {0} keeps the key {1} of a call without an answer, though its newest version {2} was accepted",
    )


def lines_lead_to_what_exists() -> list[str]:
    return query(
        """
        SELECT l.id, l.listing_id, l.run_id, p.id IS NULL, r.id IS NULL FROM channels_sync_publicationline l
        LEFT JOIN channels_sync_listing p ON p.id = l.listing_id LEFT JOIN channels_sync_publishrun r ON r.id = l.run_id
        WHERE p.id IS NULL OR r.id IS NULL
        """,
        words="line {0} names listing {1} (missing: {3}) and run {2} (missing: {4})",
    )


INVARIANTS = (
    Invariant(
        "derivations_recompute", "Each published figure has a derivation that recomputes to it.", derivations_recompute
    ),
    Invariant(
        "derivations_agree_with_the_ledger",
        "No published figure counted more than the ledger held at its cut-off.",
        derivations_agree_with_the_ledger,
    ),
    Invariant(
        "outbox_wants_the_newest_line", "The outbox wants what the newest line says.", outbox_wants_the_newest_line
    ),
    Invariant("versions_in_order", "Confirmed was sent, and sent was wanted.", versions_in_order),
    Invariant("accepted_lines_were_sent", "The state of a line fits the outbox.", accepted_lines_were_sent),
    Invariant("nothing_sent_is_forgotten", "What is out has a sender.", nothing_sent_is_forgotten),
    Invariant(
        "nothing_is_out_after_the_newest_answer",
        "After the newest figure was accepted no older call can land.",
        nothing_is_out_after_the_newest_answer,
    ),
    Invariant("lines_lead_to_what_exists", "Every line leads to its run and its listing.", lines_lead_to_what_exists),
)
