"""BOM times quantity: how much of each component a run needs (rules S1-S3). Pure and exact until the one rounding.

For a cumulative started quantity T (good and scrapped, stock unit of the output) and component c:

    raw_c(T) = sum over lines of c: quantity x unit factor / makes x T x (1 + scrap %), plus the set-up once T > 0
    cum_c(T) = raw_c(T) rounded up for whole items, half up to the step for others, then up to the rounding multiple
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from inventory.quantities import ZERO, round_down, round_half_up, round_ratio_half_up, round_ratio_up, round_up
from inventory.records import record

BACKFLUSH, PROMPT, MANUAL = "backflush", "prompt", "manual"
_METHOD_RANK = {BACKFLUSH: 0, PROMPT: 1, MANUAL: 2}
_NOTHING = Fraction(0)
DEPTH_MAX = 50
"""Levels of phantoms; deeper is a loop that the checks at save would have refused."""


@record(frozen=True, slots=True)
class LineFact:
    """One BOM line as stored: quantity, set-up and multiple in the typed unit, with the exact factor to the stock unit."""

    line_id: int
    component_id: int
    quantity: Decimal
    unit_numerator: Decimal
    unit_denominator: Decimal
    scrap_percent: Decimal = ZERO
    setup_quantity: Decimal = ZERO
    rounding_multiple: Decimal | None = None
    issue_method: str = BACKFLUSH
    is_consumable: bool = False
    is_optional: bool = False
    explodes: bool = False
    """Whether the component's own lines are used in its place: a phantom item, or a line flagged so."""

    @property
    def factor(self) -> Fraction:
        """Stock units of the component in one typed unit."""
        return Fraction(int(self.unit_numerator), int(self.unit_denominator))


@record(frozen=True, slots=True)
class BomFact:
    """What one batch of `makes` (stock unit of the output) takes."""

    bom_id: int
    item_id: int
    makes: Decimal
    lines: Sequence[LineFact]
    process_loss_percent: Decimal = ZERO
    """Of what is started this share never becomes good."""


@record(frozen=True, slots=True)
class Rate:
    """Need of one component: exact per unit of output, plus a set-up per run; all in the component's stock unit."""

    component_id: int
    per_unit: Fraction
    setup: Fraction = Fraction(0)
    multiple: Fraction | None = None
    issue_method: str = BACKFLUSH
    is_consumable: bool = False
    is_optional: bool = False

    @property
    def key(self) -> tuple[int, bool, bool]:
        return (self.component_id, self.is_consumable, self.is_optional)

    def raw(self, started: Decimal) -> Fraction:
        """The exact need of a run that started `started` units of output, before any rounding."""
        return Fraction(*self._raw(started))

    def _raw(self, started: Decimal) -> tuple[int, int]:
        """The exact need as numerator and denominator, not reduced: whole numbers are much quicker than fractions."""
        if started <= ZERO:
            return 0, 1
        numerator, denominator = started.as_integer_ratio()
        numerator *= self.per_unit.numerator
        denominator *= self.per_unit.denominator
        if self.setup:
            numerator = numerator * self.setup.denominator + self.setup.numerator * denominator
            denominator *= self.setup.denominator
        return numerator, denominator

    def requirement(self, started: Decimal, *, step: Decimal) -> Decimal:
        """cum_c(T): the need rounded once, in the component's stock unit."""
        numerator, denominator = self._raw(started)
        rounded = (round_ratio_up if step % 1 == ZERO else round_ratio_half_up)(numerator, denominator, step)
        if self.multiple is None:
            return rounded
        exact = Fraction(rounded) / self.multiple
        count = -(-exact.numerator // exact.denominator)
        return round_half_up(count * self.multiple, Decimal("0.000001"))


def explode(root: BomFact, phantoms: Mapping[int, BomFact]) -> list[Rate]:
    """Rates of every component of `root`, phantoms exploded, lines of the same component added, in order of first use.

    `phantoms` maps item ids to the BOM their parts come from; an exploding line without one is a ValueError, for the
    checks at save refuse it.
    """
    found: dict[tuple[int, bool, bool], Rate] = {}
    for rate in _expand(root, Fraction(1), Fraction(0), phantoms, 0):
        key = rate.key
        found[key] = _add(found[key], rate) if key in found else rate
    return list(found.values())


def _expand(
    bom: BomFact, per_unit: Fraction, setup: Fraction, phantoms: Mapping[int, BomFact], depth: int
) -> Iterable[Rate]:
    if depth > DEPTH_MAX:
        raise ValueError(f"BOM {bom.bom_id} explodes deeper than {DEPTH_MAX} levels")
    for line in bom.lines:
        need = need_per_unit(line, bom.makes, bom.process_loss_percent)
        rate = need if depth == 0 else need * per_unit
        start = need * setup if setup else _NOTHING
        if line.setup_quantity:
            start += Fraction(line.setup_quantity) * line.factor
        if line.explodes:
            child = phantoms.get(line.component_id)
            if child is None:
                raise ValueError(f"item {line.component_id} explodes but has no BOM in force")
            yield from _expand(child, rate, start, phantoms, depth + 1)
            continue
        yield Rate(
            component_id=line.component_id,
            per_unit=rate,
            setup=start,
            multiple=None if line.rounding_multiple is None else Fraction(line.rounding_multiple) * line.factor,
            issue_method=line.issue_method,
            is_consumable=line.is_consumable,
            is_optional=line.is_optional,
        )


def need_per_unit(line: LineFact, makes: Decimal, loss_percent: Decimal = ZERO) -> Fraction:
    """quantity x unit factor / makes x (1 + scrap %) / (1 - process loss %), as whole numbers and reduced once."""
    quantity, quantity_parts = line.quantity.as_integer_ratio()
    scrap, scrap_parts = line.scrap_percent.as_integer_ratio()
    made, made_parts = makes.as_integer_ratio()
    need = Fraction(
        quantity * int(line.unit_numerator) * made_parts * (100 * scrap_parts + scrap),
        quantity_parts * int(line.unit_denominator) * made * 100 * scrap_parts,
    )
    return need * started_per_good(loss_percent) if loss_percent else need


def started_per_good(loss_percent: Decimal) -> Fraction:
    """How many units must be started for one that becomes good, by the process loss alone."""
    return Fraction(100) / (100 - Fraction(loss_percent))


def good_of_started(started: Decimal, *, loss_percent: Decimal, step: Decimal) -> Decimal | None:
    """started x (1 - loss); None when that is no multiple of the item's step (W10)."""
    exact = Fraction(started) / started_per_good(loss_percent)
    if (exact / Fraction(step)).denominator != 1:
        return None
    return round_half_up(exact, step)


@record(frozen=True, slots=True)
class BomUse:
    """How often one unit of output goes through a BOM: the root once, a phantom's as often as its parts are needed."""

    bom_id: int
    batches: Fraction
    """Batches of that BOM per unit of output."""
    setup_batches: Fraction
    """Batches for the set-up of a run."""


def uses_of_boms(root: BomFact, phantoms: Mapping[int, BomFact]) -> list[BomUse]:
    """The root and every phantom below it, once per line that explodes."""
    found: list[BomUse] = []

    def walk(bom: BomFact, per_unit: Fraction, setup: Fraction, depth: int) -> None:
        if depth > DEPTH_MAX:
            raise ValueError(f"BOM {bom.bom_id} explodes deeper than {DEPTH_MAX} levels")
        batch = started_per_good(bom.process_loss_percent) / Fraction(bom.makes)
        found.append(BomUse(bom.bom_id, per_unit * batch, setup * batch))
        for line in bom.lines:
            if line.explodes and line.component_id in phantoms:
                need = need_per_unit(line, bom.makes, bom.process_loss_percent)
                start = need * setup + Fraction(line.setup_quantity) * line.factor
                walk(phantoms[line.component_id], need * per_unit, start, depth + 1)

    walk(root, Fraction(1), Fraction(0), 0)
    return found


@record(frozen=True, slots=True)
class OperationFact:
    """Work or overhead of a batch; minutes, base currency."""

    bom_id: int
    kind: str
    name: str
    minutes: Decimal
    setup_minutes: Decimal
    rate_per_hour: Decimal
    amount: Decimal


def operation_costs(
    operations: Iterable[OperationFact], uses: Iterable[BomUse], *, started: Decimal, set_up: Fraction
) -> dict[str, Fraction]:
    """Exact cost by kind of a completion that started `started` units, and of the share `set_up` (0 to 1) of the set-ups."""
    costs: dict[str, Fraction] = {}
    for operation, batches, setups in _charged(operations, uses, started=started, set_up=set_up):
        cost = _minutes(operation, batches, setups) * Fraction(operation.rate_per_hour) / 60
        cost += Fraction(operation.amount) * batches
        costs[operation.kind] = costs.get(operation.kind, _NOTHING) + cost
    return costs


@record(frozen=True, slots=True)
class Time:
    """Minutes of one kind of work and what they cost, exact; base currency."""

    minutes: Fraction
    cost: Fraction


def operation_times(
    operations: Iterable[OperationFact], uses: Iterable[BomUse], *, started: Decimal, set_up: Fraction
) -> dict[str, Time]:
    """The minutes by kind that `operation_costs` charges, with what they cost; kinds that take no time are left out."""
    times: dict[str, Time] = {}
    for operation, batches, setups in _charged(operations, uses, started=started, set_up=set_up):
        if operation.minutes or operation.setup_minutes:
            minutes = _minutes(operation, batches, setups)
            before = times.get(operation.kind, Time(_NOTHING, _NOTHING))
            cost = minutes * Fraction(operation.rate_per_hour) / 60
            times[operation.kind] = Time(before.minutes + minutes, before.cost + cost)
    return times


def _charged(
    operations: Iterable[OperationFact], uses: Iterable[BomUse], *, started: Decimal, set_up: Fraction
) -> Iterator[tuple[OperationFact, Fraction, Fraction]]:
    """Each operation for each use of its BOM, with the batches and the share of the set-up that are charged."""
    by_bom: dict[int, list[OperationFact]] = {}
    for operation in operations:
        by_bom.setdefault(operation.bom_id, []).append(operation)
    setups = set_up if started > ZERO else _NOTHING
    for use in uses:
        batches = use.batches * Fraction(started) + setups * use.setup_batches
        for operation in by_bom.get(use.bom_id, ()):
            yield operation, batches, setups


def _minutes(operation: OperationFact, batches: Fraction, setups: Fraction) -> Fraction:
    return Fraction(operation.minutes) * batches + Fraction(operation.setup_minutes) * setups


@record(frozen=True, slots=True)
class OutputFact:
    """A by-product or co-product: exact quantity per unit of output, and the part of the cost it carries."""

    item_id: int
    kind: str
    per_unit: Fraction
    cost_share_percent: Decimal
    unit_value: Decimal | None

    def yielded(self, started: Decimal, *, step: Decimal) -> Decimal:
        """What a run yields that started `started` units: rounded down once (rule S9)."""
        return round_down(self.per_unit * Fraction(started), step)

    def expected(self, *, started_after: Decimal, booked: Decimal, step: Decimal) -> Decimal:
        """What a completion yields: of the running total of the run, what standing completions were not expected to yield."""
        return max(self.yielded(started_after, step=step) - booked, ZERO)


def by_product_values(
    total: Decimal | None, outputs: Sequence[tuple[OutputFact, Decimal]], *, step: Decimal
) -> list[Decimal | None]:
    """The value each output carries of `total` (base currency; None: unknown); the main item takes the rest (rule S9).

    A share is rounded for itself; together they never exceed the total. Nothing that came out carries nothing.
    """
    values: list[Decimal | None] = []
    left = total
    for output, quantity in outputs:
        value: Decimal | None
        if not quantity:
            value = ZERO
        elif output.unit_value is not None:
            value = round_half_up(Fraction(output.unit_value) * Fraction(quantity), step)
        elif total is None:
            value = None
        else:
            value = round_half_up(Fraction(total) * Fraction(output.cost_share_percent) / 100, step)
        if value is not None and left is not None:
            value = min(value, left)
            left -= value
        values.append(value)
    return values


def _add(one: Rate, other: Rate) -> Rate:
    multiples = [m for m in (one.multiple, other.multiple) if m is not None]
    return Rate(
        component_id=one.component_id,
        per_unit=one.per_unit + other.per_unit,
        setup=one.setup + other.setup,
        multiple=max(multiples) if multiples else None,
        issue_method=max(one.issue_method, other.issue_method, key=_METHOD_RANK.__getitem__),
        is_consumable=one.is_consumable,
        is_optional=one.is_optional,
    )


def expected_usage(rate: Rate, *, started_after: Decimal, booked: Decimal, step: Decimal) -> Decimal:
    """What a completion consumes by the plan: the cumulative need less what earlier completions booked (rule S3)."""
    return max(ZERO, rate.requirement(started_after, step=step) - booked)


def startable(rate: Rate, *, usable: Decimal, step: Decimal, output_step: Decimal) -> Decimal | None:
    """The largest cumulative quantity that `usable` units of the component allow; None when it does not limit.

    A multiple of `output_step`. The rounding of the need is honoured: requirement(result) <= usable.
    """
    if rate.per_unit == 0:
        return None if rate.requirement(output_step, step=step) <= usable else ZERO
    if not rate.setup and rate.multiple is None:
        number = _never_rounded(rate.per_unit, usable=usable, step=step, output_step=output_step)
        if number is not None:
            return number * output_step
    low = 0  # fits: nothing started needs nothing
    room = Fraction(usable) + Fraction(step) - rate.setup
    high = max(int(room / rate.per_unit / Fraction(output_step)), 0) + 1  # does not fit
    stride = 1
    while low == 0 and high > 1:  # what fits is nearly always just below: look there first, then ever farther away
        middle = max(high - stride, 1)
        if rate.requirement(middle * output_step, step=step) <= usable:
            low = middle
        else:
            high = middle
            stride *= 2
    while high - low > 1:
        middle = (low + high) // 2
        if rate.requirement(middle * output_step, step=step) <= usable:
            low = middle
        else:
            high = middle
    return low * output_step


def _never_rounded(per_unit: Fraction, *, usable: Decimal, step: Decimal, output_step: Decimal) -> int | None:
    """How many steps of output `usable` allows, in whole numbers, where no need is ever rounded; None where some are."""
    needed, parts = output_step.as_integer_ratio()
    needed, parts = needed * per_unit.numerator, parts * per_unit.denominator
    step_numerator, step_denominator = step.as_integer_ratio()
    if needed * step_denominator % (parts * step_numerator):
        return None
    numerator, denominator = usable.as_integer_ratio()
    return max(numerator * parts // (denominator * needed), 0)


def kept_after_reversal(consumed: Decimal, *, left: Decimal, made: Decimal, step: Decimal) -> Decimal:
    """What stays consumed when `left` of `made` good units remain of a completion: R_c(consumed x left / made) (rule S14)."""
    if left == made:
        return consumed
    exact = Fraction(consumed) * Fraction(left) / Fraction(made)
    whole = step == step.to_integral_value()
    return min(consumed, round_up(exact, step) if whole else round_half_up(exact, step))
