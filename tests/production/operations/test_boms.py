"""BOM versions: drafts, activation day by day, retirement."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.db.utils import DatabaseError
from django.test.utils import CaptureQueriesContext

from inventory.errors import WrongState
from inventory.models import ItemKind, StockChange
from production.bom_checks import BomLineSpec
from production.errors import BomCycle, InvalidBom
from production.models import Bom, BomLine, BomState, DeviationPolicy, IssueMethod
from production.operations.boms import (
    activate_bom,
    apply_effective_dates,
    create_draft,
    discard_draft,
    draft_from,
    replace_lines,
    retire_bom,
)
from production.reads.structures import load_structures
from tests.factories import make_item, make_unit, make_user

pytestmark = pytest.mark.django_db

TODAY = date(2025, 6, 16)


@pytest.fixture(autouse=True)
def today():
    with time_machine.travel("2025-06-16 12:00:00Z", tick=False) as clock:
        yield clock


def spec(component, quantity="1", **fields):
    return BomLineSpec(component=component, quantity=Decimal(quantity), **fields)


def draft(item, *components, actor=None, **fields):
    lines = [c if isinstance(c, BomLineSpec) else spec(c) for c in components]
    return create_draft(item=item, lines=lines, actor=actor, **fields)


def active(item, *components, on=None):
    return activate_bom(bom=draft(item, *components), effective_from=on, actor=None).bom


def in_force(item, on):
    bom_id = load_structures(items=[item.pk], on=on).in_force.get(item.pk)
    return None if bom_id is None else Bom.objects.get(pk=bom_id).version


def rows():
    return list(Bom.objects.order_by("id").values()), list(BomLine.objects.order_by("id").values())


def test_a_draft_keeps_what_was_typed_and_the_exact_factor():
    candle, wax = make_item(sku="CANDLE"), make_item(sku="WAX", unit="m", step="0.001")

    made = draft(
        candle,
        spec(
            wax,
            "3",
            unit="inch",
            scrap_percent=Decimal("2.5"),
            setup_quantity=Decimal("0.5"),
            rounding_multiple=Decimal("5000"),
            issue_method=IssueMethod.PROMPT,
            is_optional=True,
            reference="R1",
            note="the blue one",
        ),
        makes=Decimal(12),
        note="spring",
    )

    assert (made.version, made.state, made.makes, made.note) == (1, BomState.DRAFT, Decimal(12), "spring")
    [line] = made.lines.all()
    assert (line.quantity, line.unit, line.unit_numerator, line.unit_denominator) == (Decimal(3), "inch", 127, 5000)
    assert (line.scrap_percent, line.setup_quantity, line.rounding_multiple) == (
        Decimal("2.5"),
        Decimal("0.5"),
        Decimal(5000),
    )
    assert (line.issue_method, line.is_optional, line.reference, line.note) == ("prompt", True, "R1", "the blue one")


def test_versions_count_per_item():
    candle, gift, wax = make_item(), make_item(), make_item()

    assert [draft(candle, wax).version, draft(candle, wax).version, draft(gift, wax).version] == [1, 2, 1]


def test_a_refused_draft_leaves_nothing_and_names_each_line():
    candle, wax = make_item(sku="CANDLE"), make_item(sku="WAX", unit="g")

    with pytest.raises(InvalidBom) as refusal:
        draft(candle, spec(wax), spec(wax, unit="litre"), spec(wax, "0"))

    assert [(entry["line"], entry["field"]) for entry in refusal.value.context["lines"]] == [
        (2, "unit"),
        (3, "quantity"),
    ]
    assert rows() == ([], [])


def test_a_service_or_an_inactive_item_gets_no_bom():
    for item in (make_item(kind=ItemKind.SERVICE), make_item(is_active=False)):
        with pytest.raises(InvalidBom):
            draft(item, make_item())


def test_a_batch_makes_a_positive_quantity():
    with pytest.raises(InvalidBom) as refusal:
        draft(make_item(), make_item(), makes=Decimal(0))

    assert refusal.value.context["lines"][0]["field"] == "makes"


def test_loops_are_refused_through_drafts_and_active_versions_alike():
    candle, gift, hamper = make_item(sku="CANDLE"), make_item(sku="GIFT-SET"), make_item(sku="HAMPER")
    active(gift, candle)
    draft(hamper, gift)
    before = rows()

    with pytest.raises(BomCycle) as refusal:
        draft(candle, hamper)

    assert "CANDLE -> HAMPER -> GIFT-SET -> CANDLE" in refusal.value.message
    assert "GIFT-SET v1 (active) uses CANDLE" in refusal.value.message
    assert rows() == before


def test_a_loop_through_a_phantom_is_refused():
    candle, spray = make_item(), make_item(kind=ItemKind.PHANTOM)
    draft(spray, candle)

    with pytest.raises(BomCycle):
        draft(candle, spray)


def test_a_retired_version_makes_no_loop():
    candle, gift, box = make_item(), make_item(), make_item()
    retire_bom(bom=active(gift, candle), actor=None)

    assert draft(candle, gift, box).version == 1


def test_a_retired_version_is_not_copied_into_a_loop():
    candle, gift = make_item(), make_item()
    old = retire_bom(bom=active(gift, candle), actor=None)
    draft(candle, gift)

    with pytest.raises(BomCycle):
        draft_from(bom=old, actor=None)


def test_the_lines_a_draft_had_do_not_count_when_it_is_rewritten():
    candle, gift, wax = make_item(), make_item(), make_item()
    first = draft(candle, gift)
    replace_lines(bom=first, lines=[spec(wax, "2")], actor=None)

    second = draft(gift, candle)

    assert [line.component for line in first.lines.all()] == [wax]
    assert second.version == 1


def test_rewriting_changes_lines_and_batch_or_nothing():
    candle, wax, wick = make_item(), make_item(), make_item()
    made = draft(candle, wax)

    replace_lines(bom=made, lines=[spec(wick, "2"), spec(wax, "3")], makes=Decimal(6), actor=None)

    made.refresh_from_db()
    assert made.makes == 6
    assert [(line.position, line.component, line.quantity) for line in made.lines.all()] == [(1, wick, 2), (2, wax, 3)]
    before = rows()
    with pytest.raises(BomCycle):
        replace_lines(bom=made, lines=[spec(wax), spec(candle)], actor=None)
    assert rows() == before


def test_an_active_version_is_not_rewritten_discarded_or_activated_again():
    made = active(make_item(), make_item())
    before = rows()

    for verb in (
        lambda: replace_lines(bom=made, lines=[], actor=None),
        lambda: discard_draft(bom=made, actor=None),
        lambda: activate_bom(bom=made, actor=None),
    ):
        with pytest.raises(WrongState):
            verb()

    assert rows() == before


def test_the_database_refuses_to_change_the_lines_of_an_active_version():
    made = active(make_item(), make_item())

    with pytest.raises(DatabaseError), transaction.atomic():
        made.lines.update(quantity=5)


def test_editing_an_active_version_means_a_draft_with_the_next_number():
    candle, wax = make_item(), make_item()
    box = make_unit(item=wax, name="box", numerator="12")
    first = activate_bom(
        bom=draft(candle, spec(wax, "2", unit="box"), makes=Decimal(4), deviation_policy=DeviationPolicy.BLOCK),
        actor=None,
    ).bom
    box.numerator = Decimal(10)
    box.save()

    copy = draft_from(bom=first, actor=None)

    assert (copy.version, copy.state, copy.makes, copy.deviation_policy) == (2, BomState.DRAFT, Decimal(4), "block")
    [line] = copy.lines.all()
    assert (line.quantity, line.unit, line.unit_numerator) == (Decimal(2), "box", 12)
    assert first.lines.count() == 1


def test_a_version_of_another_item_may_be_the_beginning():
    candle, other, wax = make_item(), make_item(), make_item()

    copy = draft(other, copy_of=active(candle, spec(wax, "7")), makes=Decimal(2))

    assert (copy.item, copy.version, copy.makes) == (other, 1, Decimal(2))
    assert [line.quantity for line in copy.lines.all()] == [Decimal(7)]


def test_a_discarded_draft_is_gone_and_its_number_is_free():
    candle, wax = make_item(), make_item()
    made = draft(candle, wax)
    stale = Bom.objects.get(pk=made.pk)

    discard_draft(bom=made, actor=None)

    assert rows() == ([], [])
    with pytest.raises(WrongState):
        activate_bom(bom=stale, actor=None)


def test_activation_today_retires_what_was_active():
    candle, wax = make_item(), make_item()
    first = active(candle, wax, on=date(2025, 1, 1))
    planner = make_user()
    StockChange.objects.all().delete()

    result = activate_bom(bom=draft(candle, wax), actor=planner)

    first.refresh_from_db()
    assert (result.bom.state, result.bom.effective_from, result.bom.effective_to) == (BomState.ACTIVE, TODAY, None)
    assert [old.pk for old in result.replaced] == [first.pk]
    assert (first.state, first.effective_to) == (BomState.RETIRED, TODAY)
    assert [(change.items, change.cause, change.actor_id) for change in StockChange.objects.all()] == [
        ([candle.pk], "bom", planner.pk)
    ]
    assert [in_force(candle, day) for day in (date(2024, 12, 31), date(2025, 6, 15), TODAY)] == [None, 1, 2]


def test_a_future_day_is_a_plan():
    candle, wax = make_item(), make_item()
    first = active(candle, wax, on=date(2025, 1, 1))

    active(candle, wax, on=date(2025, 7, 1))

    first.refresh_from_db()
    assert (first.state, first.effective_to) == (BomState.ACTIVE, date(2025, 7, 1))
    assert [in_force(candle, day) for day in (TODAY, date(2025, 6, 30), date(2025, 7, 1))] == [1, 1, 2]


def test_a_plan_stays_when_another_version_comes_before_it():
    candle, wax = make_item(), make_item()
    active(candle, wax, on=date(2025, 1, 1))
    active(candle, wax, on=date(2025, 7, 1))

    result = activate_bom(bom=draft(candle, wax), actor=None)

    assert result.until == date(2025, 7, 1)
    assert [in_force(candle, day) for day in (date(2025, 6, 15), TODAY, date(2025, 7, 1))] == [1, 3, 2]


def test_a_plan_for_the_same_day_is_replaced():
    candle, wax = make_item(), make_item()
    active(candle, wax, on=date(2025, 1, 1))
    planned = active(candle, wax, on=date(2025, 7, 1))

    active(candle, wax, on=date(2025, 7, 1))

    planned.refresh_from_db()
    assert (planned.state, planned.effective_to) == (BomState.RETIRED, date(2025, 7, 1))
    assert [in_force(candle, day) for day in (TODAY, date(2025, 7, 1), date(2026, 1, 1))] == [1, 3, 3]


def test_the_day_on_the_draft_counts_when_none_is_given():
    candle, wax = make_item(), make_item()

    planned = activate_bom(bom=draft(candle, wax, effective_from=date(2025, 8, 1)), actor=None).bom
    missed = activate_bom(bom=draft(make_item(), wax, effective_from=date(2025, 2, 1)), actor=None).bom

    assert planned.effective_from == date(2025, 8, 1)
    assert missed.effective_from == TODAY


def test_history_is_not_rewritten_before_a_version_that_has_come_into_force():
    candle, wax = make_item(), make_item()
    active(candle, wax, on=date(2025, 3, 1))
    second = draft(candle, wax)
    before = rows()

    with pytest.raises(InvalidBom, match="in force since 2025-03-01"):
        activate_bom(bom=second, effective_from=date(2025, 2, 1), actor=None)

    assert rows() == before


def test_a_bom_without_components_is_not_activated():
    for lines in ([], [spec(make_item(kind=ItemKind.SERVICE))]):
        empty = create_draft(item=make_item(), lines=lines, actor=None)
        with pytest.raises(InvalidBom, match="no line that uses stock"):
            activate_bom(bom=empty, actor=None)


def test_a_phantom_needs_a_version_in_force_on_the_day():
    candle, spray, wax = make_item(), make_item(sku="SPRAY", kind=ItemKind.PHANTOM), make_item()
    parts = draft(spray, wax)
    whole = draft(candle, spray)

    with pytest.raises(InvalidBom, match="SPRAY is a phantom but has no BOM"):
        activate_bom(bom=whole, actor=None)
    activate_bom(bom=parts, effective_from=date(2025, 7, 1), actor=None)
    with pytest.raises(InvalidBom, match="in force on 2025-06-16"):
        activate_bom(bom=whole, actor=None)
    assert activate_bom(bom=whole, effective_from=date(2025, 7, 1), actor=None).bom.state == BomState.ACTIVE


def test_a_pack_that_changed_since_the_draft_was_saved_is_noticed():
    candle, wax = make_item(), make_item(sku="WAX")
    box = make_unit(item=wax, name="box", numerator="12")
    made = draft(candle, spec(wax, unit="box"))
    box.numerator = Decimal(10)
    box.save()

    with pytest.raises(InvalidBom, match="One box of WAX is another quantity now"):
        activate_bom(bom=made, actor=None)
    replace_lines(bom=made, lines=[spec(wax, unit="box")], actor=None)
    activate_bom(bom=made, actor=None)

    assert made.lines.get().unit_numerator == 10


def test_retiring_ends_today_and_tells():
    candle, wax = make_item(), make_item()
    made = active(candle, wax, on=date(2025, 1, 1))
    StockChange.objects.all().delete()

    retired = retire_bom(bom=made, actor=None)

    assert (retired.state, retired.effective_to) == (BomState.RETIRED, TODAY)
    assert [in_force(candle, day) for day in (date(2025, 6, 15), TODAY)] == [1, None]
    assert [change.items for change in StockChange.objects.all()] == [[candle.pk]]
    with pytest.raises(WrongState):
        retire_bom(bom=made, actor=None)


def test_withdrawing_a_plan_lets_the_present_version_go_on():
    candle, wax = make_item(), make_item()
    first = active(candle, wax, on=date(2025, 1, 1))
    planned = active(candle, wax, on=date(2025, 7, 1))

    retire_bom(bom=planned, actor=None)

    first.refresh_from_db()
    assert (first.state, first.effective_to) == (BomState.ACTIVE, None)
    assert in_force(candle, date(2025, 7, 1)) == 1


def test_a_version_whose_parts_others_use_is_not_retired():
    candle, spray, wax = make_item(sku="CANDLE"), make_item(kind=ItemKind.PHANTOM), make_item()
    parts = active(spray, wax)
    active(candle, spray)

    with pytest.raises(InvalidBom, match="CANDLE v1 use the parts of"):
        retire_bom(bom=parts, actor=None)

    parts.refresh_from_db()
    assert parts.state == BomState.ACTIVE


def test_the_day_after_a_plan_came_true_is_tidied(today):
    candle, wax = make_item(), make_item()
    first = active(candle, wax, on=date(2025, 1, 1))
    active(candle, wax, on=TODAY + timedelta(days=1))
    StockChange.objects.all().delete()
    assert apply_effective_dates() == 0

    today.move_to("2025-06-17 01:00:00Z")

    assert apply_effective_dates() == 1
    first.refresh_from_db()
    assert first.state == BomState.RETIRED
    assert [change.items for change in StockChange.objects.all()] == [[candle.pk]]


def test_history_names_the_person(planner):
    candle, wax = make_item(), make_item()

    made = activate_bom(bom=draft(candle, wax, actor=planner), actor=planner).bom

    assert made.created_by == planner
    assert [(entry.state, entry.history_user) for entry in made.history.order_by("history_id")] == [
        ("draft", planner),
        ("active", planner),
    ]


def test_the_database_keeps_one_open_active_version():
    candle, wax = make_item(), make_item()
    active(candle, wax)
    second = draft(candle, wax)

    with pytest.raises(IntegrityError), transaction.atomic():
        Bom.objects.filter(pk=second.pk).update(state=BomState.ACTIVE, effective_from=TODAY)


def test_saving_and_activating_cost_the_same_queries_for_1_and_20_lines():
    counts = []
    for size in (1, 20):
        item, components = make_item(), [make_item() for _ in range(size)]
        old = active(item, *components)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            copy = draft_from(bom=old, actor=None)
            replace_lines(bom=copy, lines=[spec(c, "2") for c in components], actor=None)
            activate_bom(bom=copy, actor=None)
        counts.append(len(queries))

    assert counts[0] == counts[1]
