"""Counts at the demo company: one posted, one that waits for approval, one in the hands of the person who counts."""

from decimal import Decimal

from django.contrib.auth.models import User

from config.demo.catalogue import BINS, place
from config.demo.steps import key_of
from inventory.models import CountCause, CountLine, CountSheet
from inventory.operations.closing_counts import explain_variance, submit_count_sheet
from inventory.operations.counting import open_count_sheet, record_count, scan_count_line
from inventory.operations.posting import Actor

SMALL_PARTS, WAX, LABELS = "Small parts, first round", "Wax by the kilo", "Labels, fragrances and boxes"


def ensure_counts(actor: Actor) -> None:
    """Everything below, once each."""
    counter, operator = (User.objects.get(username=name) for name in ("counter", "operator"))
    _count_small_parts(actor, counter, operator)
    _count_wax(actor, counter, operator)
    _begin_labels(actor, counter)


def _open(note: str, actor: Actor, where: str, assigned_to: User) -> CountSheet | None:
    """The sheet with its note; None when there is one already."""
    if CountSheet.objects.filter(note=note).exists():
        return None
    return open_count_sheet(location=place(where), assigned_to=assigned_to, note=note, actor=actor)


def _count_small_parts(actor: Actor, counter: User, operator: User) -> None:
    sheet = _open(SMALL_PARTS, actor, BINS[1], counter)
    if sheet is None:
        return
    differences = {"LID-220": Decimal(-7), "WICK-COTTON-8": Decimal(12)}
    for line in _lines(sheet):
        difference = differences.get(line.item.sku, Decimal(0)) if line.status == "available" else Decimal(0)
        _count(line, difference, first=counter, second=operator)
    submit_count_sheet(key=key_of("count-small-parts"), sheet=sheet, actor=counter)
    for line in sheet.lines.exclude(posting=None).filter(item__sku="LID-220"):
        explain_variance(line=line, cause=CountCause.SCRAP, note="cracked while capping", actor=actor)


def _count_wax(actor: Actor, counter: User, operator: User) -> None:
    sheet = _open(WAX, actor, BINS[0], counter)
    if sheet is None:
        return
    for line in _lines(sheet):
        # The last lot is well short: the cut is worth a second look, and a second person.
        difference = Decimal("-24.5") if line.lot.code == "SW-2432" else Decimal(0)
        _count(line, difference, first=counter, second=operator)
    submit_count_sheet(key=key_of("count-wax"), sheet=sheet, actor=operator)


def _begin_labels(actor: Actor, counter: User) -> None:
    sheet = _open(LABELS, actor, BINS[2], counter)
    if sheet is None:
        return
    for line in _lines(sheet)[:1]:
        _count(line, Decimal(0), first=counter, second=counter)


def _lines(sheet: CountSheet) -> list[CountLine]:
    lines = sheet.lines.select_related("item", "location", "lot", "sheet")
    return list(lines.order_by("location__path", "item__sku", "lot__code", "status"))


def _count(line: CountLine, difference: Decimal, *, first: User, second: User) -> None:
    """Find what the book says and `difference` more, twice when that is asked for."""
    for person in (first, second):
        scanned = scan_count_line(line=line, actor=person)
        assert scanned.expected is not None, "a scanned line knows what is expected"
        found = max(scanned.expected + difference, Decimal(0))
        if not record_count(line=scanned, quantity=found, actor=person, alone=True).needs_recount:
            return
