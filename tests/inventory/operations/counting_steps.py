"""Steps of a count as tests take them."""

from decimal import Decimal
from uuid import uuid4

from inventory.models import CountClass, CountLine
from inventory.operations.closing_counts import Explanation, approve_count, submit_count_sheet
from inventory.operations.counting import open_count_sheet, record_count, scan_count_line


def open_sheet(place, *, items=(), actor=None, **more):
    return open_count_sheet(location=place, items=items, actor=actor, **more)


def line_of(sheet, item, *, lot=None):
    lines = CountLine.objects.filter(sheet=sheet, item=item)
    return lines.get(lot__code=lot) if lot is not None else lines.get()


def scan(line, *, actor=None):
    return scan_count_line(line=line, actor=actor)


def count(line, quantity, *, actor=None, **more):
    return record_count(line=line, quantity=Decimal(quantity), actor=actor, **more)


def count_for_sure(line, quantity, *, actor=None, second=None):
    """Count a line, twice when it is asked for."""
    result = count(line, quantity, actor=actor)
    return count(line, quantity, actor=second, alone=True) if result.needs_recount else result


def submit(sheet, *, actor=None, key=None):
    return submit_count_sheet(key=key or uuid4(), sheet=sheet, actor=actor)


def approve(sheet, lines, *, actor=None, cause="miscount", note="", key=None):
    explanations = {line.pk: Explanation(cause, note) for line in lines}
    return approve_count(key=key or uuid4(), sheet=sheet, explanations=explanations, actor=actor)


def approve_from(value):
    """Every variance worth more than `value` needs a second person."""
    CountClass.objects.update(approval_value=Decimal(value))
