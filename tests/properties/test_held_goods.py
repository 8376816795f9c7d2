"""Nothing held ever counts: random receipts, completions, verdicts and undos against available and published figures.

What may be available is summed from the release decisions that stand, not from the balances.
"""

from decimal import Decimal
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels_sync.models import ListingPush
from channels_sync.operations.absorbing import absorb_changes
from inventory.errors import DomainError
from inventory.reads.availability import availability
from production.models import Disposition, InspectionDecision, InspectionVerdict
from production.operations.inspecting import Outcome, decide_inspection, undo_verdict
from production.reads.held_goods import held_goods
from tests.channels_sync.factories import make_channel, make_listing
from tests.conftest import broken_invariants
from tests.factories import make_item, make_location, on_hand, put_on_hand
from tests.production.factories import complete, make_bom
from tests.properties.sizes import histories

STEP = st.tuples(
    st.sampled_from(["receive", "complete", "judge", "judge", "judge", "undo"]),
    st.integers(min_value=1, max_value=6),
    st.sampled_from(list(Disposition)),
    st.integers(min_value=0, max_value=3),
)


@pytest.mark.django_db
@settings(
    max_examples=histories("BACKFLUSH_HELD_HISTORIES", usual=25),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEP, min_size=3, max_size=12))
def test_available_and_published_never_include_what_is_held(steps):
    place = make_location()
    part, item = make_item(), make_item(inspection_required=True, is_sellable=True)
    make_bom(item=item, lines=[(part, "1")])
    put_on_hand(part, place, "1000", value="1000")
    listing = make_listing(channel=make_channel(code=f"shop-{uuid4().hex[:8]}"), item=item)

    for verb, quantity, disposition, which in steps:
        if verb == "receive":
            put_on_hand(item, place, str(quantity), value="5")
        elif verb == "complete":
            complete(item, str(quantity), into=place)
        else:
            _judge_or_undo(item, verb, quantity, disposition, which)
        released = _released(item)
        waiting = [goods for goods in held_goods() if goods.item.pk == item.pk]
        assert sum((goods.held for goods in waiting), Decimal(0)) == on_hand(item, status="qc_hold")
        assert availability(items=[item.pk])[item.pk].available == released

    absorb_changes()
    push = ListingPush.objects.filter(listing=listing).first()
    if push is not None and push.wanted is not None:
        assert push.wanted <= _released(item)
    assert broken_invariants() == []


def _released(item):
    """What verdicts that stand have released."""
    decisions = InspectionDecision.objects.standing().filter(verdict__inspection__item=item, disposition="release")
    return sum((decision.quantity for decision in decisions), Decimal(0))


def _judge_or_undo(item, verb, quantity, disposition, which):
    if verb == "undo":
        verdicts = list(InspectionVerdict.objects.filter(inspection__item=item))
        if verdicts:
            try:
                undo_verdict(key=uuid4(), verdict=verdicts[which % len(verdicts)], actor=None)
            except DomainError:
                return  # taken back before
        return
    waiting = [goods for goods in held_goods() if goods.item.pk == item.pk]
    if waiting:
        goods = waiting[which % len(waiting)]
        part = min(Decimal(quantity), goods.held)
        decide_inspection(key=uuid4(), handle=goods.pk, outcomes=[Outcome(disposition, part, "as drawn")], actor=None)
