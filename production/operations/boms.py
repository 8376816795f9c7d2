"""BOM versions: drafts are written and rewritten, activated for a day, and retired.

    draft --activate--> active --replaced, or retire--> retired        (a draft may also be discarded)

The versions of an item follow each other without overlap: each is in force from its first day until the day before the
next one's. Nothing leads back to draft; changing what is active means a new draft of it.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import Max
from django.utils import timezone

from inventory.errors import WrongState
from inventory.models import Item, ItemKind
from inventory.operations.posting import Actor
from inventory.operations.telling import tell_changed
from inventory.operations.transactions import operation
from production.bom_checks import BomLineSpec, BomProblem, line_factor, raise_problems
from production.errors import BomChangedMeanwhile, BomCycle, InvalidBom
from production.models import Bom, BomLine, BomState, DeviationPolicy
from production.operations.bom_lines import copy_lines, remove_lines, write_lines
from production.operations.bom_parts import copy_attachments, copy_parts, copy_substitutes
from production.reads.bom_check import check_bom, packs_of_many

_GRAPH_LOCK = 7_204_663_018
"""Advisory lock of everyone who changes BOM lines: two drafts saved at once must not make a loop together."""
_USERS_SHOWN_MAX = 5


@dataclass(frozen=True, slots=True)
class Activation:
    """A version that was activated, the versions it cut short or replaced, and the first day it no longer counts."""

    bom: Bom
    replaced: Sequence[Bom]
    until: date | None  # a later version is already planned from this day


@operation
def create_draft(
    *,
    item: Item,
    lines: Sequence[BomLineSpec] = (),
    makes: Decimal | None = None,
    actor: Actor,
    copy_of: Bom | None = None,
    deviation_policy: str | None = None,
    deviation_tolerance_percent: Decimal | None = None,
    effective_from: date | None = None,
    note: str | None = None,
) -> Bom:
    """A new draft version of the BOM of `item`: one batch of `lines` yields `makes` (stock unit, default 1).

    With `copy_of` everything that is not given comes from that version, which may be another item's: by-products, operations,
    substitutes of the same components, instructions and attachments too. Its lines are copied as they were stored, pack
    factors included, when no lines are given. Raises BomCycle and InvalidBom with all problems.
    """
    lock_graph()
    source = None if copy_of is None else Bom.objects.get(pk=copy_of.pk)  # as it is now, under the lock
    if makes is None:
        makes = Decimal(1) if source is None else source.makes
    copied = list(source.lines.select_related("component")) if source is not None and not lines else []
    specs = [spec_of(line) for line in copied] if copied else list(lines)
    problems = check_bom(item=item, lines=specs, makes=makes)
    if copied:  # what else became wrong since the version was saved is for the person to mend in the draft
        problems = [problem for problem in problems if isinstance(problem.error, BomCycle) or problem.field == "makes"]
    version = (Bom.objects.filter(item=item).aggregate(last=Max("version"))["last"] or 0) + 1
    raise_problems(problems, what=f"BOM v{version} of {item.sku} cannot be saved")
    draft = Bom(
        item=item,
        version=version,
        makes=makes,
        effective_from=effective_from,
        deviation_policy=deviation_policy or (source.deviation_policy if source else DeviationPolicy.REASON),
        deviation_tolerance_percent=(
            deviation_tolerance_percent
            if deviation_tolerance_percent is not None
            else (source.deviation_tolerance_percent if source else Decimal(0))
        ),
        note=note if note is not None else (source.note if source else ""),
        process_loss_percent=source.process_loss_percent if source else Decimal(0),
        capacity_per_day=source.capacity_per_day if source else None,
        instructions=source.instructions if source else "",
        created_by_id=getattr(actor, "pk", None),
        drafted_from=source if source is not None and source.item_id == item.pk else None,
    )
    save_version(draft, actor)
    if copied:
        copy_lines(draft, copied, actor=actor)
    else:
        write_lines(draft, specs, actor=actor)
    if source is not None:
        copy_substitutes(source, draft)
        copy_parts(source, draft)
        copy_attachments(source, draft)
    return draft


def draft_from(*, bom: Bom, actor: Actor) -> Bom:
    """A draft with the next version number that begins as a copy of `bom`; how an active version is changed."""
    return create_draft(item=bom.item, copy_of=bom, actor=actor)


@operation
def replace_lines(*, bom: Bom, lines: Sequence[BomLineSpec], actor: Actor, makes: Decimal | None = None) -> Bom:
    """Give a draft these lines instead of the ones it has, and another batch size when `makes` is given.

    Raises WrongState when it is no draft any more, BomCycle and InvalidBom with all problems; nothing is changed then.
    """
    lock_graph()
    draft = locked_versions(bom)[bom.pk]
    check_draft(draft, "changed")
    wanted = draft.makes if makes is None else makes
    problems = check_bom(item=draft.item, lines=lines, makes=wanted, bom_id=draft.pk)
    raise_problems(problems, what=f"BOM v{draft.version} of {draft.item.sku} cannot be saved")
    write_lines(draft, lines, actor=actor)
    draft.makes = wanted
    draft.revision += 1
    save_version(draft, actor)
    return draft


@operation
def discard_draft(*, bom: Bom, actor: Actor) -> None:
    """Delete a draft. Raises WrongState for a version that was activated, which stays for good."""
    draft = locked_versions(bom)[bom.pk]
    check_draft(draft, "discarded")
    remove_lines(list(draft.lines.all()), actor=actor)
    _remember(draft, actor)
    draft.delete()


@operation
def activate_bom(
    *, bom: Bom, effective_from: date | None = None, actor: Actor, over: Collection[int] = ()
) -> Activation:
    """Put a draft in force from a day on: `effective_from`, else the day on the draft, else today.

    A future day is a plan. The version in force before ends on that day; one that begins on the very same day is replaced;
    one planned for later stays planned and ends this one. `over` names versions that somebody has looked at and writes over
    though the draft does not come from them. Raises WrongState when it is no draft, BomChangedMeanwhile when another version
    was activated since it was drafted, InvalidBom when the day lies before a version that has already come into force or
    when something below is not usable, BomCycle for a loop.
    """
    versions = locked_versions(bom)
    draft = versions[bom.pk]
    check_draft(draft, "activated")
    refuse_overtaken(draft, list(versions.values()), over=over)
    today = timezone.localdate()
    start = effective_from or max(draft.effective_from or today, today)
    _check_activation(draft, start)

    others = [b for b in versions.values() if b.pk != draft.pk and not _is_empty(b)]
    planned = sorted((b for b in others if _first_day(b) > start), key=_first_day)
    if planned and _first_day(planned[0]) <= today:
        raise InvalidBom(
            f"BOM v{planned[0].version} of {draft.item.sku} has been in force since {planned[0].effective_from}. "
            f"Activate v{draft.version} from that day or a later one, not from {start}.",
            item=draft.item.sku,
            effective_from=start.isoformat(),
        )
    replaced = [b for b in others if _first_day(b) <= start and (b.effective_to is None or b.effective_to > start)]
    for old in replaced:
        old.effective_to = start
        if start <= today or _is_empty(old):
            old.state = BomState.RETIRED
        save_version(old, actor)
    draft.state = BomState.ACTIVE
    draft.effective_from = start
    draft.effective_to = planned[0].effective_from if planned else None
    draft.activated_at = timezone.now()
    save_version(draft, actor)
    tell_changed(items=[draft.item_id], cause="bom", actor=actor)
    return Activation(draft, replaced, draft.effective_to)


@operation
def retire_bom(*, bom: Bom, actor: Actor) -> Bom:
    """Take a version out of force from today on. A planned one is withdrawn, and the version it would have ended goes on.

    Open work orders keep the lines they froze. Raises WrongState when it is not active, and InvalidBom while other
    versions use its parts in its place.
    """
    versions = locked_versions(bom)
    active = versions[bom.pk]
    if active.state != BomState.ACTIVE:
        raise WrongState(
            f"BOM v{active.version} of {active.item.sku} is {active.get_state_display().lower()}; only an active version "
            "can be retired.",
            item=active.item.sku,
            state=active.state,
        )
    today = timezone.localdate()
    first = _first_day(active)
    before = next((b for b in versions.values() if b.effective_to == first and b.state == BomState.ACTIVE), None)
    goes_on = first > today and before is not None and before.pk != active.pk
    if not goes_on and (active.effective_to is None or active.effective_to > today):
        _refuse_while_exploded(active)
    after = active.effective_to
    active.state = BomState.RETIRED
    active.effective_to = max(first, min(today, after or today))
    save_version(active, actor)
    if goes_on and before is not None:
        before.effective_to = after
        save_version(before, actor)
    tell_changed(items=[active.item_id], cause="bom", actor=actor)
    return active


@operation
def apply_effective_dates(*, on: date | None = None) -> int:
    """Retire versions whose last day has passed, and tell the apps above which items changed version on the day `on`.

    For a task that runs soon after midnight; running it twice does no harm. Returns the number of items told about.
    """
    day = on or timezone.localdate()
    ended = Bom.objects.filter(state=BomState.ACTIVE, effective_to__lte=day)
    changed = set()
    for bom in ended.select_for_update(of=("self",), no_key=True).order_by("item_id", "id"):
        bom.state = BomState.RETIRED
        save_version(bom, None)
        changed.add(bom.item_id)
    changed |= set(Bom.objects.filter(state=BomState.ACTIVE, effective_from=day).values_list("item_id", flat=True))
    if changed:
        tell_changed(items=changed, cause="bom")
    return len(changed)


def spec_of(line: BomLine) -> BomLineSpec:
    """A stored line as it was typed."""
    return BomLineSpec(
        component=line.component,
        quantity=line.quantity,
        unit=line.unit,
        scrap_percent=line.scrap_percent,
        setup_quantity=line.setup_quantity,
        rounding_multiple=line.rounding_multiple,
        issue_method=line.issue_method,
        is_consumable=line.is_consumable,
        is_optional=line.is_optional,
        is_phantom=line.is_phantom,
        builds_shortage=line.builds_shortage,
        reference=line.reference,
        note=line.note,
    )


def overtaken_by(draft: Bom, versions: Iterable[Bom]) -> Bom | None:
    """The version of the same item that was activated since `draft` began as a copy of another one; None: there is none."""
    if draft.drafted_from_id is None or not draft.is_draft:
        return None
    later = [
        one
        for one in versions
        if one.state == BomState.ACTIVE
        and one.pk != draft.drafted_from_id
        and one.activated_at is not None
        and one.activated_at > draft.created_at
    ]
    return max(later, key=lambda one: (one.activated_at, one.pk), default=None)


def refuse_overtaken(draft: Bom, versions: Sequence[Bom], *, over: Collection[int]) -> None:
    """Refuse to write over a version nobody has looked at. Raises BomChangedMeanwhile."""
    meanwhile = overtaken_by(draft, versions)
    if meanwhile is None or meanwhile.pk in over:
        return
    began = next((one.version for one in versions if one.pk == draft.drafted_from_id), None)
    raise BomChangedMeanwhile(
        f"BOM v{meanwhile.version} of {draft.item.sku} was activated since v{draft.version} was drafted"
        f"{f' from v{began}' if began else ''}, and what it changed would be lost. Compare the two, take over what is to stay, "
        f"and activate v{draft.version} over it.",
        item=draft.item.sku,
        version=draft.version,
        over=meanwhile.pk,
        over_version=meanwhile.version,
    )


def check_draft(bom: Bom, participle: str) -> None:
    if bom.state != BomState.DRAFT:
        raise WrongState(
            f"BOM v{bom.version} of {bom.item.sku} is {bom.get_state_display().lower()}; only a draft can be {participle}. "
            "Make a draft of it and change that.",
            item=bom.item.sku,
            version=bom.version,
            state=bom.state,
        )


def _check_activation(draft: Bom, start: date) -> None:
    """The checks of a save once more, since items and packs may have changed, and what only an active version needs."""
    stored = list(draft.lines.select_related("component"))
    specs = [spec_of(line) for line in stored]
    problems = check_bom(item=draft.item, lines=specs, makes=draft.makes, bom_id=draft.pk, in_force_on=start)
    if not any(line.component.kind != ItemKind.SERVICE for line in stored):
        problems.append(
            BomProblem(None, "", InvalidBom(f"It has no line that uses stock. Add the components of {draft.item.sku}."))
        )
    wrong_units = {problem.line for problem in problems if problem.field == "unit"}
    packs = packs_of_many([line.component_id for line in stored])
    for index, (line, spec) in enumerate(zip(stored, specs, strict=True)):
        if index in wrong_units:
            continue
        now = line_factor(spec, packs.get(line.component_id, {}))
        if (now.numerator, now.denominator) != (int(line.unit_numerator), int(line.unit_denominator)):
            problems.append(BomProblem(index, "unit", _changed_unit(line)))
    raise_problems(problems, what=f"BOM v{draft.version} of {draft.item.sku} cannot be activated")


def _changed_unit(line: BomLine) -> InvalidBom:
    sku = line.component.sku
    return InvalidBom(
        f"One {line.unit or line.component.stock_unit} of {sku} is another quantity now than when this draft was saved. "
        "Check the line and save the draft again.",
        item=sku,
        unit=line.unit,
    )


def _refuse_while_exploded(bom: Bom) -> None:
    """A version whose parts are used in its place by others cannot go: they could no longer be made."""
    today = timezone.localdate()
    users = (
        BomLine.objects.filter(component_id=bom.item_id, bom__state=BomState.ACTIVE)
        .exclude(bom__effective_to__lte=today)
        .select_related("bom__item")
        .order_by("bom__item__sku", "bom__version")
    )
    if bom.item.kind != ItemKind.PHANTOM:
        users = users.filter(is_phantom=True)
    names = [f"{line.bom.item.sku} v{line.bom.version}" for line in users[: _USERS_SHOWN_MAX + 1]]
    if names:
        more = " and others" if len(names) > _USERS_SHOWN_MAX else ""
        raise InvalidBom(
            f"{', '.join(names[:_USERS_SHOWN_MAX])}{more} use the parts of {bom.item.sku} in its place and could no longer be "
            f"made. Activate another version of {bom.item.sku} instead, or retire those first.",
            item=bom.item.sku,
            used_by=names,
        )


def _is_empty(bom: Bom) -> bool:
    """Whether a version never was, and never will be, in force."""
    return bom.effective_from is None or bom.is_draft or bom.effective_to == bom.effective_from


def _first_day(bom: Bom) -> date:
    if bom.effective_from is None:
        raise ValueError(f"BOM {bom.pk} is {bom.state} and has no first day")
    return bom.effective_from


def locked_versions(bom: Bom) -> dict[int, Bom]:
    """All versions of the BOM's item, locked by id and read under the lock.

    Raises WrongState when `bom` was discarded meanwhile.
    """
    rows = Bom.objects.filter(item_id=bom.item_id).select_related("item").order_by("id")
    versions = {row.pk: row for row in rows.select_for_update(of=("self",), no_key=True)}
    if bom.pk not in versions:
        raise WrongState(f"This draft of {bom.item.sku} was discarded. Make a new one.", item=bom.item.sku)
    return versions


def lock_graph() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_GRAPH_LOCK])


def save_version(bom: Bom, actor: Actor) -> None:
    _remember(bom, actor)
    bom.save()


def _remember(bom: Bom, actor: Actor) -> None:
    """Name the person in the history row that saving or deleting writes."""
    if isinstance(actor, get_user_model()):
        bom._history_user = actor  # type: ignore[attr-defined]  # read by simple_history
