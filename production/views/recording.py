"""Recording a completion: scan or type what was made, see what it will do, post it."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils.html import format_html
from django.views.decorators.http import require_GET, require_http_methods

from inventory.errors import (
    DomainError,
    IdempotencyMismatch,
    InsufficientStock,
    InvalidQuantity,
    LotMismatch,
    NegativeNotAllowed,
    ReservedByOther,
)
from inventory.models import Location, Movement, StockStatus
from inventory.quantities import ZERO, as_text
from inventory.templatetags.figures import currency_places, grouped
from inventory.web import Crumb, go_to, key_from, part_for, render_page
from inventory.whole_numbers import whole_number
from production.errors import ConsumptionVariance, InvalidBom, InvalidSubstitute, OverCompletion, UnusualQuantity
from production.forms import SCRAP_REASONS, CompletionForm, new_key, own_places, shown
from production.models import Completion, VarianceCause
from production.operations.completing import (
    CompletionResult,
    complete_production,
)
from production.panels import completion_url
from production.subjects import Found, Subject, find_component, find_subject, open_orders_of, subject_of, suggestions
from production.views.completion_outlook import Outlook, outlook_of, request_of, standards_of
from production.views.completion_outputs import TypedOutputs, read_outputs, resolve_outputs
from production.views.completion_typed import TypedLine, TypedLines, read_lines, resolve
from production.views.recording_buttons import with_button, with_new_key

RECENT_MAX = 10
QUANTITY_LENGTH_MAX = 48
PLACE_IN_SESSION = "completion_output_location"
# What the preview shows as well needs no second place, unless things changed between the posting and it.
SHOWN_BY_THE_PREVIEW = (
    InsufficientStock,
    ReservedByOther,
    OverCompletion,
    ConsumptionVariance,
    InvalidBom,
    UnusualQuantity,
    InvalidSubstitute,
    LotMismatch,
    NegativeNotAllowed,
)
CAUSES = [choice for choice in VarianceCause.choices if choice[0] != VarianceCause.SUBSTITUTE]
"""A substitute says so by itself."""
PARTS = {"completion": "production/_completion.html", "completion-preview": "production/_completion_preview.html"}


@require_http_methods(["GET", "POST"])
@permission_required("production.record_completion", raise_exception=True)
def record_completion(request: HttpRequest) -> HttpResponse:
    """The page for the floor: GET shows what was scanned, POST previews or, with `action=complete`, posts."""
    if request.method == "GET":
        return _show_scanned(request)
    subject = subject_of(item=request.POST.get("item", ""), work_order=request.POST.get("work_order", ""))
    if subject is None:
        return _page(request, what=request.POST.get("what", ""), found=Found(None), status=422)
    data = with_button(request.POST)
    data["key"] = str(key_from(request))
    places = own_places()
    form = CompletionForm(data, item=subject.item, work_order=subject.work_order, places=places)
    _show_date_only_to_the_privileged(form, request)
    typed, made = read_lines(data), read_outputs(data)
    is_valid = form.is_valid()
    _add_extra(request, data, typed, form)
    _resolve(request, form, typed, made)
    refusal: DomainError | None = None
    if request.POST.get("action") == "complete" and "fill" not in request.POST:
        if form.is_empty:
            form.add_error("good", "How many were made? Type a quantity.")
        elif is_valid and form.is_valid() and not typed.has_errors and not made.has_errors:
            try:
                return _post(request, form, typed, made)
            except IdempotencyMismatch:
                form.data = with_new_key(form.data)
                form.add_error(
                    None,
                    "This form was posted before with other figures. Check what was recorded below; "
                    "press the button again to record these figures as well.",
                )
            except SHOWN_BY_THE_PREVIEW as error:
                refusal = error
            except DomainError as error:
                form.add_error("good" if isinstance(error, InvalidQuantity) else None, error.message)
        outlook = outlook_of(request, form, typed, made, places)
        if refusal is not None and not outlook.tells(refusal):
            form.add_error(None, refusal.message)
        return _page(request, what=subject.code, subject=subject, form=form, typed=typed, outlook=outlook, status=422)
    outlook = outlook_of(request, form, typed, made, places)
    return _page(request, what=subject.code, subject=subject, form=form, typed=typed, outlook=outlook, status=200)


@require_GET
@permission_required("production.record_completion", raise_exception=True)
def suggest(request: HttpRequest) -> HttpResponse:
    """What fits the text typed so far: items that can be made and open work orders."""
    found = suggestions(request.GET.get("q", ""))
    return render_page(request, "production/_suggestions.html", title="", found=found)


@require_GET
@permission_required("production.view_workorder", raise_exception=True)
def suggest_items(request: HttpRequest) -> HttpResponse:
    """Only the items that can be made."""
    found = [subject for subject in suggestions(request.GET.get("q", "")) if subject.work_order is None]
    return render_page(request, "production/_suggestions.html", title="", found=found)


def _show_scanned(request: HttpRequest) -> HttpResponse:
    what = request.GET.get("what", "").strip()
    found = find_subject(what)
    if found.subject is None:
        return _page(request, what=what, found=found, status=422 if what else 200)
    subject, places = found.subject, own_places()
    form = CompletionForm(
        initial={"key": new_key(), "output_location": _usual_place(request, subject, places)},
        item=subject.item,
        work_order=subject.work_order,
        places=places,
    )
    _show_date_only_to_the_privileged(form, request)
    repeated = _repeated(request, subject)
    if repeated is not None:
        return _show_again(request, subject, repeated, places)
    proposed = request.GET.get("good", "").strip()[:QUANTITY_LENGTH_MAX]
    if proposed:
        filled = {"good": proposed, "output_location": _usual_place(request, subject, places)}
        if day := request.GET.get("on", "").strip()[:10]:
            filled["made_on"] = day
        return _show_filled(request, subject, filled, places)
    outlook = outlook_of(request, form, TypedLines({}, set(), []), TypedOutputs(), places)
    return _page(request, what=subject.code, subject=subject, form=form, outlook=outlook, status=200)


def _repeated(request: HttpRequest, subject: Subject) -> Completion | None:
    """The completion that is to be done once more: of the same item, named in the address."""
    wanted = whole_number(request.GET.get("repeat"))
    if wanted is None:
        return None
    return (
        Completion.objects.filter(pk=wanted, item=subject.item)
        .select_related("output_location", "source_location", "posting")
        .first()
    )


def _show_again(
    request: HttpRequest, subject: Subject, done: Completion, places: Mapping[str, Location]
) -> HttpResponse:
    """The form with the quantity and the places of a completion that was recorded before, ready to be posted again."""
    filled = {
        "good": shown(done.good),
        "output_location": done.output_location.code,
        "source_location": done.source_location.code if done.source_location else "",
        "note": done.posting.note,
    }
    return _show_filled(request, subject, filled, places)


def _show_filled(
    request: HttpRequest, subject: Subject, filled: Mapping[str, str], places: Mapping[str, Location]
) -> HttpResponse:
    """The form with fields that are filled in already and previewed; nothing is posted before somebody presses the button."""
    data = QueryDict(mutable=True)
    data.update({"key": new_key(), **filled})
    form = CompletionForm(data, item=subject.item, work_order=subject.work_order, places=places)
    _show_date_only_to_the_privileged(form, request)
    form.is_valid()
    if "made_on" in filled and "made_on" not in form.fields:
        form.add_error(
            None,
            f"This completion is proposed for {filled['made_on']}, and you may only record for today, which would book it beside "
            "what was counted since. Ask somebody who may record for an earlier day.",
        )
    typed = TypedLines({}, set(), [])
    outlook = outlook_of(request, form, typed, TypedOutputs(), places)
    return _page(request, what=subject.code, subject=subject, form=form, typed=typed, outlook=outlook, status=200)


def _usual_place(request: HttpRequest, subject: Subject, places: Mapping[str, Location]) -> str:
    """Where the output of this item went last, else where this person put something last, else the only place there is."""
    if subject.work_order is not None:
        return subject.work_order.output_location.code
    last = (
        Completion.objects.filter(item=subject.item)
        .order_by("-posting_id")
        .values_list("output_location__code", flat=True)
        .first()
    )
    for code in (last, request.session.get(PLACE_IN_SESSION)):
        if isinstance(code, str) and code.casefold() in places:
            return places[code.casefold()].code
    return next(iter(places.values())).code if len(places) == 1 else ""


def _show_date_only_to_the_privileged(form: CompletionForm, request: HttpRequest) -> None:
    if not request.user.has_perm("inventory.backdate_posting"):
        form.fields.pop("made_on")


def _add_extra(request: HttpRequest, data: QueryDict, typed: TypedLines, form: CompletionForm) -> None:
    """A component that is not in the BOM joins the lines; its quantity is typed there."""
    text = data.get("add", "").strip()
    if not text or ("add_component" not in request.POST and request.POST.get("action") != "complete"):
        return
    component = find_component(text)
    if component is None:
        form.add_error(None, f"No single item is called “{text}”. Type or scan the SKU of the component to add.")
    elif component.pk == form.item.pk:
        form.add_error(None, f"{component.sku} cannot be a component of itself.")
    else:
        data["add"] = ""
        if component.pk not in typed.extras:
            typed.extras.append(component.pk)
            data.appendlist("extra", str(component.pk))
        typed.lines.setdefault(component.pk, TypedLine(component.pk))


# --- Planning and posting ---------------------------------------------------------------------------------------------


def _resolve(request: HttpRequest, form: CompletionForm, typed: TypedLines, made: TypedOutputs) -> None:
    """Turn what was typed into quantities; where only spoilage or a lot was typed, the standard of now is needed."""
    components: Mapping[int, Decimal] = {}
    outputs: Mapping[int, Decimal] = {}
    if (typed.needs_standards or made.needs_standards) and not form.is_empty and "good" not in form.errors:
        components, outputs = standards_of(request, form)
    resolve(typed, components)
    resolve_outputs(made, outputs)


def _post(request: HttpRequest, form: CompletionForm, typed: TypedLines, made: TypedOutputs) -> HttpResponse:
    typed.actuals = [actual for actual in typed.actuals if actual.quantity or actual.component.pk not in typed.extras]
    result = complete_production(
        key=form.cleaned_data["key"], request=request_of(form, typed, made), actor=request.user
    )
    request.session[PLACE_IN_SESSION] = result.completion.output_location.code
    undo = ""
    if request.user.has_perm("production.reverse_completion"):
        undo = reverse("production:undo_completion", args=[result.completion.posting_id])
    return go_to(
        request,
        "production:record_completion",
        message=_message(result, to_inspect=_to_inspect(request, result.completion)),
        undo=undo,
    )


def _to_inspect(request: HttpRequest, completion: Completion) -> str:
    """The address where what was made is inspected; empty when it needs none or this person may not inspect."""
    if completion.output_status != StockStatus.QC_HOLD or not request.user.has_perm("production.inspect"):
        return ""
    held = Movement.objects.filter(
        posting_id=completion.posting_id, item_id=completion.item_id, status=StockStatus.QC_HOLD, quantity__gt=0
    )
    first = held.order_by("id").values_list("pk", flat=True).first()
    return reverse("quality:inspect", args=[first]) if first is not None else ""


def _message(result: CompletionResult, *, to_inspect: str) -> str:
    completion = result.completion
    made = []
    if completion.good:
        made.append(f"Completed {grouped(completion.good)} × {completion.item.sku}")
    if completion.scrapped:
        verb = "scrapped" if made else "Scrapped"
        made.append(f"{verb} {grouped(completion.scrapped)}{'' if made else f' × {completion.item.sku}'}")
    lines = completion.lines.count()
    parts = [", ".join(made), f"{lines} line{'' if lines == 1 else 's'} issued"]
    cost = completion.consumed_value
    parts.append("cost unknown" if cost is None else f"cost {grouped(cost, places=currency_places())}")
    if completion.work_order is not None:
        parts.append(completion.work_order.number)
    said = format_html(
        '{} · <a href="{}">Posting {}</a>', " · ".join(parts), completion_url(completion), str(completion.posting_id)
    )
    return format_html('{} · <a href="{}">Inspect</a>', said, to_inspect) if to_inspect else said


# --- The page ---------------------------------------------------------------------------------------------------------


def _page(
    request: HttpRequest,
    *,
    what: str,
    status: int,
    subject: Subject | None = None,
    found: Found | None = None,
    form: CompletionForm | None = None,
    typed: TypedLines | None = None,
    outlook: Outlook | None = None,
) -> HttpResponse:
    part = part_for(request, PARTS)
    is_whole = part is None
    return render_page(
        request,
        "production/record_completion.html",
        title="Record completion",
        part=PARTS,
        crumbs=[Crumb("Completions", reverse("production:completions"))],
        status=200 if part == PARTS["completion-preview"] else status,
        form=form,
        what=what,
        subject=subject,
        found=found,
        outlook=outlook,
        typed=typed,
        button=_button_text(form),
        announcement=_announcement(outlook),
        **_texts(subject, outlook, form),
        scrap_reasons=SCRAP_REASONS,
        orders=open_orders_of(subject.item) if subject and subject.work_order is None and form else [],
        recent=_recent() if is_whole else [],
        last=_last(subject) if subject and form is not None and not form.is_bound else None,
        repeat=_last_of(request) if is_whole and subject is None else None,
        causes=CAUSES,
        can_undo=request.user.has_perm("production.reverse_completion"),
    )


def _texts(subject: Subject | None, outlook: Outlook | None, form: CompletionForm | None) -> dict[str, str]:
    """Figures as text for button values, which must not be grouped."""
    plan = outlook.plan if outlook else None
    order = subject.work_order if subject else None
    short = len(outlook.short) if outlook else 0
    return {
        "bom_version": str(plan.bom_version) if plan else "",
        "remaining_text": shown(order.remaining) if order else "",
        "completable_text": shown(plan.completable) if plan else "",
        "allowed_text": shown(outlook.allowed) if outlook else "",
        "short_badge": f"{short} short" if short else "",
        "add_text": str(form.data.get("add", "")) if form is not None and form.is_bound else "",
    }


def _last(subject: Subject) -> Completion | None:
    """The newest completion of the item that still stands, to be repeated."""
    done = Completion.objects.filter(item=subject.item, good__gt=0, reversed_good=0).select_related("output_location")
    return done.order_by("-posting_id").first()


def _last_of(request: HttpRequest) -> dict[str, str] | None:
    """What this person completed last, to be done once more: what to scan for it, and which completion it was."""
    done = (
        Completion.objects.filter(posting__actor_id=request.user.pk, good__gt=0, parent=None)
        .select_related("item", "work_order")
        .order_by("-posting_id")
        .first()
    )
    if done is None:
        return None
    order = done.work_order
    return {
        "code": order.number if order and order.takes_completions else done.item.sku,
        "posting_id": str(done.posting_id),
    }


def _recent() -> Sequence[Completion]:
    completions = Completion.objects.select_related(
        "item", "posting", "posting__actor", "work_order", "output_location", "output_lot"
    )
    return list(completions.order_by("-posting_id")[:RECENT_MAX])


def _button_text(form: CompletionForm | None) -> str:
    """What pressing the button will do."""
    data = getattr(form, "cleaned_data", {}) if form is not None else {}
    good, scrapped = data.get("good") or ZERO, data.get("scrapped") or ZERO
    if good and scrapped:
        return f"Complete {as_text(good)}, scrap {as_text(scrapped)}"
    if scrapped:
        return f"Scrap {as_text(scrapped)}"
    return f"Complete {as_text(good)}" if good else "Complete"


def _announcement(outlook: Outlook | None) -> str:
    """One sentence for people who listen to the page."""
    if outlook is None or outlook.plan is None or outlook.is_basis:
        return ""
    if outlook.short:
        names = ", ".join(row.component.sku for row in outlook.short_named)
        return f"{len(outlook.short)} of {len(outlook.rows)} components are short: {names}."
    if outlook.unusual is not None:
        return outlook.unusual.message
    if outlook.notices:
        return outlook.notices[0].message
    cost = outlook.plan.consumed_value
    words = "unknown" if cost is None else grouped(cost, places=currency_places())
    return f"{len(outlook.rows)} components are there. Cost {words}."
