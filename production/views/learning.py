"""What completions teach about the standards: proposals with their evidence, drafted or dismissed."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from inventory.errors import DomainError
from inventory.models import Item
from inventory.quantities import PLACES, as_text, round_half_up
from inventory.templatetags.figures import grouped
from inventory.web import Cell, Crumb, export_table, go_to, render_page
from production.forms_learning import AcceptForm, DismissForm
from production.learning import Part, Rule, Verdict
from production.models import Bom
from production.operations.learning import accept_proposal, dismiss_proposal
from production.reads.learning import Learned, Measured, completed_versions, learned

SHOWN = (("open", "Proposals to decide"), ("decided", "Drafted or dismissed"), ("all", "All lines that were measured"))
WORDS = {
    Verdict.PROPOSE: ("Another quantity is proposed", "look", "lightbulb"),
    Verdict.WITHIN: ("The standard fits", "good", "check_circle"),
    Verdict.FEW: ("Too few measurements", "quiet", "hourglass_empty"),
    Verdict.SELDOM: ("Measured too seldom", "quiet", "visibility_off"),
    Verdict.SCATTERED: ("Scattered around the standard", "quiet", "scatter_plot"),
    Verdict.DRIFTING: ("Still moving", "info", "trending_up"),
}
PART_WORDS = {
    Part.ROUNDING: "Rounding",
    Part.SUBSTITUTE: "Substitutes",
    Part.SPOILED: "Spoiled",
    Part.EXPLAINED: "With a reason",
    Part.UNEXPLAINED: "Unexplained",
}
STRIP_WIDTH, STRIP_HEIGHT, STRIP_PAD = 240, 36, 8


@dataclass(frozen=True, slots=True)
class Strip:
    """A drawing of the measurements: a dot each, a box from quartile to quartile, a line at the standard. Pixels."""

    width: int
    height: int
    dots: Sequence[str]
    box_x: str
    box_width: str
    median_x: str
    standard_x: str
    words: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One line as the page shows it."""

    found: Learned
    words: str
    tone: str
    icon: str
    strip: Strip | None
    parts: Sequence[tuple[str, Decimal]]

    @property
    def url(self) -> str:
        return reverse("production:learned_line", args=[self.found.bom.id, self.found.component.id])

    @property
    def cost_effect(self) -> Decimal | None:
        return None if self.found.cost_effect is None else round_half_up(self.found.cost_effect, PLACES)


EXPORT_HEADER = [
    "Item", "Version", "Component", "Unit", "Standard", "Measured", "Median", "Lower quartile", "Upper quartile", "Verdict",
    "Proposed",
]  # fmt: skip


@require_GET
@permission_required("production.view_bom", raise_exception=True)
def learning(request: HttpRequest) -> HttpResponseBase:
    """Lines whose measurements say something, those that wait for a decision first."""
    shown = request.GET.get("show") if request.GET.get("show") in dict(SHOWN) else "open"
    text = request.GET.get("q", "").strip()[:100]
    every = [one for one in learned(boms=completed_versions()) if one.finding.measured]
    rows = [one for one in every if _is_shown(one, str(shown)) and _matches(one, text)]
    download = export_table(
        request.GET.get("export", ""), name="Learned from use", header=EXPORT_HEADER, rows=map(_export_row, rows)
    )
    if download is not None:
        return download
    return render_page(
        request,
        "production/learning.html",
        part={"learning": "production/_learning.html"},
        title="Learned from use",
        rows=[shown_line(one) for one in rows],
        show=shown,
        shows=SHOWN,
        text=text,
        measured_lines=len(every),
        rule=Rule(),
        clear_url=reverse("production:learning"),
    )


def _export_row(one: Learned) -> list[Cell]:
    return [
        one.item.sku,
        one.bom.version,
        one.component.sku,
        one.unit,
        one.quantity,
        one.finding.measured,
        one.typical,
        one.lower,
        one.upper,
        WORDS[one.finding.verdict][0],
        one.proposed,
    ]


@require_GET
@permission_required("production.view_bom", raise_exception=True)
def learned_line(request: HttpRequest, bom: int, component: int) -> HttpResponse:
    """The evidence of one line, and the two decisions."""
    return _line_page(request, _line(bom, component))


@require_POST
@permission_required("production.add_bom", raise_exception=True)
def accept(request: HttpRequest, bom: int, component: int) -> HttpResponse:
    """Draft a version with the quantity that was shown."""
    version, item = get_object_or_404(Bom, pk=bom), get_object_or_404(Item, pk=component)
    form = AcceptForm(request.POST)
    if form.is_valid():
        try:
            done = accept_proposal(bom=version, component=item, actor=request.user, **form.cleaned_data)
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            words = (
                f"BOM v{done.draft.version} of {done.draft.item.sku} is drafted with {as_text(done.decision.proposed)}."
            )
            if done.cost_before is not None and done.cost_after is not None:
                words += f" A unit costs {grouped(done.cost_after)} instead of {grouped(done.cost_before)}."
            return go_to(request, "production:edit_bom", done.draft.pk, message=words)
    return _line_page(request, _line(bom, component), refused=form)


@require_POST
@permission_required("production.change_bom", raise_exception=True)
def dismiss(request: HttpRequest, bom: int, component: int) -> HttpResponse:
    """Keep the standard, for a reason."""
    version, item = get_object_or_404(Bom, pk=bom), get_object_or_404(Item, pk=component)
    form = DismissForm(request.POST)
    if form.is_valid():
        try:
            done = dismiss_proposal(bom=version, component=item, actor=request.user, **form.cleaned_data)
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            words = f"{as_text(done.proposed)} for {item.sku} is dismissed: {done.reason}."
            return go_to(request, "production:learning", message=words)
    return _line_page(request, _line(bom, component), refused=form)


def _line(bom: int, component: int) -> Learned:
    found = next((one for one in learned(boms=[bom]) if one.component.id == component), None)
    if found is None:
        raise Http404("There is no such line that alone says how much of its component is needed.")
    return found


def _line_page(
    request: HttpRequest, found: Learned, *, refused: AcceptForm | DismissForm | None = None
) -> HttpResponse:
    values = {"quantity": found.proposed, "measured": found.finding.measured}
    return render_page(
        request,
        "production/learned_line.html",
        title=f"{found.component.sku} in {found.item.sku}",
        crumbs=[Crumb("Learned from use", reverse("production:learning"))],
        row=shown_line(found),
        found=found,
        measurements=[_measurement(one, found) for one in reversed(found.measured) if one.observation.is_measured],
        accept_form=AcceptForm(initial=values),
        dismiss_form=refused if isinstance(refused, DismissForm) else DismissForm(initial=values),
        refused=refused,
        rule=Rule(),
        status=422 if refused is not None else 200,
    )


@dataclass(frozen=True, slots=True)
class MeasurementShown:
    """One completion: what was used per batch of the BOM, in the line's unit, and why it differed."""

    one: Measured
    per_batch: Decimal | None
    difference: Decimal
    words: str


def _measurement(one: Measured, found: Learned) -> MeasurementShown:
    ratio = one.observation.ratio
    per_batch = None if ratio is None else round_half_up(Fraction(found.quantity) * ratio, Decimal("0.0001"))
    seen = one.observation
    difference = round_half_up(Fraction(seen.actual) + seen.replaced - Fraction(seen.expected), PLACES)
    words = seen.reason or (seen.cause and seen.cause.replace("_", " ")) or ("" if difference else "as planned")
    return MeasurementShown(one, per_batch, difference, words)


def _is_shown(one: Learned, show: str) -> bool:
    if show == "open":
        return one.is_open
    return one.decision is not None if show == "decided" else True


def _matches(one: Learned, text: str) -> bool:
    words = f"{one.item.sku} {one.item.name} {one.component.sku} {one.component.name}".casefold()
    return text.casefold() in words


def shown_line(found: Learned) -> Shown:
    words, tone, icon = WORDS[found.finding.verdict]
    named = [(PART_WORDS[part], round_half_up(quantity, PLACES)) for part, quantity in found.parts.items() if quantity]
    return Shown(found, words, tone, icon, strip_of(found), named)


def strip_of(found: Learned) -> Strip | None:
    """The drawing of a line's measurements; None without any."""
    finding = found.finding
    if finding.median is None or finding.lower is None or finding.upper is None:
        return None
    low, high = min(*finding.ratios, Fraction(1)), max(*finding.ratios, Fraction(1))
    span = high - low or Fraction(1)

    def x_of(ratio: Fraction) -> str:
        place = STRIP_PAD + (ratio - low) / span * (STRIP_WIDTH - 2 * STRIP_PAD)
        return as_text(round_half_up(place, Decimal("0.1")))

    box = Decimal(x_of(finding.upper)) - Decimal(x_of(finding.lower))
    words = (
        f"{finding.measured} measurements; half of them from {as_text(found.lower or Decimal(0))} to "
        f"{as_text(found.upper or Decimal(0))} {found.unit}, median {as_text(found.typical or Decimal(0))}, "
        f"standard {as_text(found.quantity)}"
    )
    return Strip(
        STRIP_WIDTH,
        STRIP_HEIGHT,
        [x_of(ratio) for ratio in finding.ratios],
        x_of(finding.lower),
        as_text(max(box, Decimal(1))),
        x_of(finding.median),
        x_of(Fraction(1)),
        words,
    )
