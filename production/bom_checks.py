"""What makes a bill of materials unusable: loops, units that do not convert, losses and multiples that contradict. Pure.

The checks take plain values and return problems with the line and field they belong to, so that a form shows them at the
line, an import at the row, and an operation as one refusal.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from inventory.errors import DomainError, InvalidQuantity, InvalidQuantityStep, InvalidUnit, ItemInactive
from inventory.models import Item, ItemKind
from inventory.quantities import ZERO, as_text, is_exact
from inventory.units import unit_factor
from production.errors import BomCycle, InvalidBom
from production.explosion import BACKFLUSH, DEPTH_MAX, MANUAL, PROMPT

FACTOR_DIGITS_MAX = 40
SCRAP_PERCENT_MAX = Decimal("9999.999")
TEXT_LENGTHS = {"reference": 250, "note": 500}
SECTION_WORDS = {"lines": "Line", "outputs": "By-product", "operations": "Operation"}
LINES_SHOWN_MAX = 5
"""Problems spelled out in one refusal; all of them are in its context."""


@dataclass(frozen=True, slots=True)
class SubstituteSpec:
    """An item that may be used instead; `ratio` of its stock units replace one stock unit of the component."""

    item: Item
    ratio: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class BomLineSpec:
    """One BOM line as a person or a file gives it. Quantity, set-up and multiple are in `unit` (empty: the stock unit)."""

    component: Item
    quantity: Decimal
    unit: str = ""
    scrap_percent: Decimal = ZERO
    setup_quantity: Decimal = ZERO
    rounding_multiple: Decimal | None = None
    issue_method: str = BACKFLUSH
    is_consumable: bool = False
    is_optional: bool = False
    is_phantom: bool = False
    reference: str = ""
    note: str = ""
    builds_shortage: bool = False
    substitutes: tuple[SubstituteSpec, ...] | None = None
    """In order of preference; None leaves those the line has."""

    @property
    def explodes(self) -> bool:
        """Whether the component's own parts are used in its place."""
        return self.is_phantom or self.component.kind == ItemKind.PHANTOM


@dataclass(frozen=True, slots=True)
class BomProblem:
    """Something that stands in the way: at the line with this index (None: the BOM as a whole), in this field."""

    line: int | None
    field: str
    error: DomainError
    section: str = "lines"
    """Which list the index counts in: lines, outputs or operations."""


@dataclass(frozen=True, slots=True)
class Use:
    """One item uses another in a version that is, or can become, active."""

    item_id: int
    component_id: int
    version: str
    """For people: `GIFT-SET v2 (draft)`."""
    explodes: bool = False


@dataclass(frozen=True, slots=True)
class BomSurroundings:
    """What the checks know about everything below the components of the BOM."""

    packs: Mapping[int, Mapping[str, Fraction]]
    """By item: its own units in lower case, each in stock units."""
    uses: Sequence[Use]
    skus: Mapping[int, str]
    with_bom: frozenset[int]
    """Items that have a BOM to explode."""
    phantom_advice: str = "Make its BOM first."


def ways_back(item_id: int, uses: Iterable[Use]) -> dict[int, Use]:
    """For every item that needs `item_id`, directly or through others, the use that leads there by the shortest way."""
    users: dict[int, list[Use]] = {}
    for use in uses:
        users.setdefault(use.component_id, []).append(use)
    found: dict[int, Use] = {}
    reached = [item_id]
    while reached:
        following: list[int] = []
        for component_id in reached:
            for use in users.get(component_id, ()):
                if use.item_id != item_id and use.item_id not in found:
                    found[use.item_id] = use
                    following.append(use.item_id)
        reached = following
    return found


def loop_through(item_id: int, component_id: int, back: Mapping[int, Use]) -> list[int] | None:
    """The loop a line `item_id` -> `component_id` closes, first item repeated last; None when it closes none.

    `back` comes from `ways_back(item_id, ...)`.
    """
    path = [item_id, component_id]
    while path[-1] != item_id:
        use = back.get(path[-1])
        if use is None:
            return None
        path.append(use.component_id)
    return path


def line_factor(line: BomLineSpec, packs: Mapping[str, Fraction]) -> Fraction:
    """How many stock units of the component one typed unit is, exactly. Raises InvalidUnit."""
    item = line.component
    factor = unit_factor(unit=line.unit, stock_unit=item.stock_unit, packs=packs, sku=item.sku)
    if factor <= 0 or max(len(str(factor.numerator)), len(str(factor.denominator))) > FACTOR_DIGITS_MAX:
        raise InvalidUnit(
            f"One {line.unit} of {item.sku} cannot be written as an exact number of {item.stock_unit}. "
            "Use the stock unit, or a pack with a simpler factor.",
            item=item.sku,
            unit=line.unit,
        )
    return factor


def check_lines(*, item: Item, lines: Sequence[BomLineSpec], around: BomSurroundings) -> list[BomProblem]:
    """Everything that is wrong with these lines as a BOM of `item`, in line order."""
    problems: list[BomProblem] = []
    back = ways_back(item.pk, around.uses)
    factors: dict[int, Fraction] = {}
    for index, line in enumerate(lines):
        problems += [BomProblem(index, field, error) for field, error in (*_numbers(line), *_words(line))]
        try:
            factors[index] = line_factor(line, around.packs.get(line.component.pk, {}))
        except InvalidUnit as error:
            problems.append(BomProblem(index, "unit", error))
        else:
            problems += [BomProblem(index, field, error) for field, error in _multiple(line, factors[index])]
        problems += [BomProblem(index, "component", error) for error in _component(item, line, around, back)]
        problems += [BomProblem(index, field, error) for field, error in _contradictions(line)]
        problems += [BomProblem(index, "substitutes", error) for error in _substitutes(item, line, around, back)]
    problems += _mixed_multiples(lines, factors)
    if not any(isinstance(problem.error, BomCycle) for problem in problems):
        problems += _too_deep(item, lines, around)
    return sorted(problems, key=lambda problem: (problem.line is None, problem.line or 0))


def _numbers(line: BomLineSpec) -> Iterable[tuple[str, DomainError]]:
    sku = line.component.sku
    if not is_exact(line.quantity) or line.quantity <= ZERO:
        yield "quantity", _not_a_number(sku, "quantity", line.quantity, "a positive number")
    if not is_exact(line.setup_quantity) or line.setup_quantity < ZERO:
        yield "setup_quantity", _not_a_number(sku, "set-up quantity", line.setup_quantity, "zero or more")
    scrap = line.scrap_percent
    if not is_exact(scrap) or not ZERO <= scrap <= SCRAP_PERCENT_MAX or scrap != round(scrap, 3):
        yield "scrap_percent", _not_a_number(sku, "scrap %", scrap, "zero or more, to three decimal places")
    multiple = line.rounding_multiple
    if multiple is not None and (not is_exact(multiple) or multiple <= ZERO):
        yield (
            "rounding_multiple",
            _not_a_number(sku, "rounding multiple", multiple, "a positive number or leave it empty"),
        )


def _words(line: BomLineSpec) -> Iterable[tuple[str, DomainError]]:
    sku = line.component.sku
    if line.issue_method not in (BACKFLUSH, PROMPT, MANUAL):
        yield (
            "issue_method",
            InvalidBom(
                f"“{line.issue_method}” is no way to issue {sku}. Choose {BACKFLUSH}, {PROMPT} or {MANUAL}.", item=sku
            ),
        )
    for field, text in (("reference", line.reference), ("note", line.note)):
        if len(text) > TEXT_LENGTHS[field]:
            yield (
                field,
                InvalidBom(
                    f"The {field} of {sku} has {len(text)} characters, {TEXT_LENGTHS[field]} fit. Shorten it.", item=sku
                ),
            )


def _not_a_number(sku: str, what: str, given: Decimal, wanted: str) -> InvalidQuantity:
    places = "" if "decimal" in wanted else ", with at most six decimal places"
    return InvalidQuantity(f"{given} is no {what} of {sku}. Give {wanted}{places}.", item=sku, given=str(given))


def _multiple(line: BomLineSpec, factor: Fraction) -> Iterable[tuple[str, DomainError]]:
    """A rounding multiple must itself be a quantity that can be moved."""
    item, multiple = line.component, line.rounding_multiple
    if multiple is None or not multiple.is_finite() or multiple <= ZERO:
        return
    exact = Fraction(multiple) * factor
    if (exact / Fraction(item.step)).denominator != 1:
        unit = line.unit or item.stock_unit
        yield (
            "rounding_multiple",
            InvalidQuantityStep(
                f"The rounding multiple {as_text(multiple)} {unit} of {item.sku} is not a multiple of its step "
                f"{as_text(item.step)} {item.stock_unit}. Give one that is, or change the item's step.",
                item=item.sku,
                multiple=as_text(multiple),
                step=as_text(item.step),
            ),
        )


def _component(
    item: Item, line: BomLineSpec, around: BomSurroundings, back: Mapping[int, Use]
) -> Iterable[DomainError]:
    component = line.component
    if not component.is_active:
        yield ItemInactive(
            f"{component.sku} is inactive. Set it active again, or use another component.", item=component.sku
        )
    loop = loop_through(item.pk, component.pk, back)
    if loop is not None:
        yield _cycle(item, component, loop, around, back)
    elif line.explodes and component.pk not in around.with_bom:
        why = "is a phantom" if component.kind == ItemKind.PHANTOM else "is marked to be exploded"
        yield InvalidBom(
            f"{component.sku} {why} but has no BOM whose parts could be used in its place. {around.phantom_advice}",
            item=component.sku,
        )


def _substitutes(
    item: Item, line: BomLineSpec, around: BomSurroundings, back: Mapping[int, Use]
) -> Iterable[DomainError]:
    """What is wrong with the substitutes of a line. One that leads back to the item would make a loop once it is used."""
    sku = line.component.sku
    seen: set[int] = set()
    for substitute in line.substitutes or ():
        other = substitute.item
        if other.pk == line.component.pk:
            yield InvalidBom(f"{sku} cannot replace itself. Choose another substitute, or take this one out.", item=sku)
        elif other.pk in seen:
            yield InvalidBom(
                f"{other.sku} stands twice among the substitutes of {sku}. Take one of them out.", item=sku
            )
        elif not other.is_active:
            yield ItemInactive(
                f"{other.sku}, a substitute of {sku}, is inactive. Set it active again, or take it out.", item=other.sku
            )
        elif other.kind in (ItemKind.PHANTOM, ItemKind.SERVICE):
            yield InvalidBom(
                f"{other.sku} is a {other.get_kind_display().lower()} and has no stock to use instead of {sku}. "
                "Choose an item that is stocked.",
                item=other.sku,
            )
        else:
            loop = loop_through(item.pk, other.pk, back)
            if loop is not None:
                yield _cycle(item, other, loop, around, back)
        seen.add(other.pk)
        if not is_exact(substitute.ratio) or substitute.ratio <= ZERO:
            yield _not_a_number(other.sku, "ratio", substitute.ratio, "a positive number")


def _cycle(
    item: Item, component: Item, loop: Sequence[int], around: BomSurroundings, back: Mapping[int, Use]
) -> BomCycle:
    names = {**around.skus, item.pk: item.sku, component.pk: component.sku}
    path = [names[item_id] for item_id in loop]
    if len(loop) == 2:
        advice = "An item cannot be a component of itself; use another component."
    else:
        advice = f"{back[loop[-2]].version} uses {item.sku}; take it out there, or use another component here."
    return BomCycle(f"{component.sku} makes a loop: {' -> '.join(path)}. {advice}", item=item.sku, path=path)


def _contradictions(line: BomLineSpec) -> Iterable[tuple[str, DomainError]]:
    """Marks that an exploded line cannot carry, since its parts' own lines are what is consumed."""
    sku = line.component.sku
    if not line.explodes:
        return
    marks = (
        ("is_consumable", line.is_consumable, "consumable"),
        ("is_optional", line.is_optional, "optional"),
        ("rounding_multiple", line.rounding_multiple is not None, "rounded to a multiple"),
        ("issue_method", line.issue_method != BACKFLUSH, "issued in another way"),
        ("builds_shortage", line.builds_shortage, "made when it is missing"),
        ("substitutes", bool(line.substitutes), "replaced by substitutes"),
    )
    for field, is_set, words in marks:
        if is_set:
            yield (
                field,
                InvalidBom(
                    f"{sku} is exploded into its parts, so it cannot be {words} itself. "
                    f"Set that on the lines of the BOM of {sku}, or do not explode it.",
                    item=sku,
                ),
            )


def _mixed_multiples(lines: Sequence[BomLineSpec], factors: Mapping[int, Fraction]) -> Iterable[BomProblem]:
    """The need of a component is rounded once per BOM, so its lines must agree on the multiple (rule S2)."""
    first: dict[int, tuple[Fraction, BomLineSpec]] = {}
    for index, line in enumerate(lines):
        if line.rounding_multiple is None or index not in factors or not line.rounding_multiple.is_finite():
            continue
        exact = Fraction(line.rounding_multiple) * factors[index]
        known, other = first.setdefault(line.component.pk, (exact, line))
        if known != exact:
            item = line.component
            one = f"{as_text(other.rounding_multiple or ZERO)} {other.unit or item.stock_unit}"
            two = f"{as_text(line.rounding_multiple)} {line.unit or item.stock_unit}"
            yield BomProblem(
                index,
                "rounding_multiple",
                InvalidBom(
                    f"{item.sku} stands on several lines with different rounding multiples, {one} and {two}. "
                    "Give them the same, or leave all but one empty.",
                    item=item.sku,
                ),
            )


def _too_deep(item: Item, lines: Sequence[BomLineSpec], around: BomSurroundings) -> Iterable[BomProblem]:
    """Refuse phantoms in phantoms beyond what an explosion follows."""
    below: dict[int, set[int]] = {}
    for use in around.uses:
        if use.explodes:
            below.setdefault(use.item_id, set()).add(use.component_id)
    level = {line.component.pk for line in lines if line.explodes}
    for _ in range(DEPTH_MAX):
        if not level:
            return
        level = {part for phantom in level for part in below.get(phantom, ())}
    if level:
        yield BomProblem(
            None,
            "",
            InvalidBom(
                f"{item.sku} would explode phantoms more than {DEPTH_MAX} levels deep. Make some of them stocked "
                "sub-assemblies.",
                item=item.sku,
            ),
        )


def raise_problems(problems: Sequence[BomProblem], *, what: str) -> None:
    """Refuse when there are problems: BomCycle when a loop is among them, else InvalidBom; all of them in the context.

    `what` names the BOM and the verb for people: "BOM v2 of CANDLE cannot be saved".
    """
    if not problems:
        return
    shown = [_sentence(problem) for problem in problems[:LINES_SHOWN_MAX]]
    if len(problems) > LINES_SHOWN_MAX:
        shown.append(f"And {len(problems) - LINES_SHOWN_MAX} more.")
    message = f"{what}. {' '.join(shown)}"
    lines = [
        {
            "section": problem.section,
            "line": None if problem.line is None else problem.line + 1,
            "field": problem.field,
            "code": problem.error.code,
            "message": problem.error.message,
        }
        for problem in problems
    ]
    for problem in problems:
        if isinstance(problem.error, BomCycle):
            raise BomCycle(message, path=problem.error.context["path"], lines=lines)
    raise InvalidBom(message, lines=lines)


def _sentence(problem: BomProblem) -> str:
    if problem.line is None:
        return problem.error.message
    return f"{SECTION_WORDS[problem.section]} {problem.line + 1}: {problem.error.message}"
