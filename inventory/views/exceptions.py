"""The queue of exceptions: what needs a person, whose it is, and what was done about it."""

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from inventory.errors import DomainError, WrongState
from inventory.filters import Chip, without
from inventory.forms.exceptions import DO, SNOOZES, ProblemForm, people, snooze_until
from inventory.models import ExceptionCase, ExceptionState, Severity
from inventory.operations.exceptions import (
    assign_exception,
    note_exception,
    reopen_exception,
    report_problem,
    resolve_exception,
    snooze_exception,
    take_exception,
    wake_exception,
)
from inventory.operations.transactions import run_in_transaction
from inventory.reads.exceptions import (
    OLD_DAYS,
    ExceptionQuestion,
    exceptions_matching,
    kind_words,
    queue_figures,
)
from inventory.web import Crumb, export_table, go_to, key_from, render_page, safe_next
from inventory.whole_numbers import whole_numbers

ROWS_PER_PAGE = 50
BULK_MAX = 200
LINKED = ("posting", "postings")
"""Evidence that is shown as buttons."""
STATES = (("waiting", "Waiting"), ("snoozed", "Put away"), ("resolved", "Resolved"))
AGES = (("1", "Older than a day"), ("3", "Older than 3 days"), ("7", "Older than a week"), ("30", "Older than a month"))
HEADER = ("Severity", "Kind", "Title", "Reason", "About", "Owner", "Since", "Seen", "State", "Resolution")
TONES = {Severity.URGENT: "blocked", Severity.HIGH: "blocked", Severity.NORMAL: "look", Severity.LOW: "quiet"}
DONE_WORDS = {
    "take": "Yours now",
    "release": "Nobody's now",
    "assign": "Given",
    "snooze": "Put away",
    "wake": "Back in the queue",
    "resolve": "Resolved",
    "reopen": "Opened again",
    "note": "Noted",
}


@require_GET
@permission_required("inventory.view_exceptioncase", raise_exception=True)
def exceptions(request: HttpRequest) -> HttpResponseBase:
    """What waits, the worst first; or what was put away or resolved."""
    question = _question(request)
    found = exceptions_matching(question)
    exported = export_table(
        request.GET.get("export", ""), name="Exceptions", header=HEADER, rows=(_exported(case) for case in found)
    )
    if exported is not None:
        return exported
    figures = queue_figures(person_id=request.user.pk)
    page = Paginator(found, ROWS_PER_PAGE).get_page(request.GET.get("page"))
    for case in page.object_list:
        _dress(case)
    return render_page(
        request,
        "inventory/exceptions/exceptions.html",
        part={"cases": "inventory/exceptions/_cases.html"},
        title="Exceptions",
        page_object=page,
        question=question,
        figures=figures,
        kinds=[(kind, kind_words(kind), count) for kind, count in figures.kinds],
        states=STATES,
        ages=AGES,
        severities=list(reversed(Severity.choices)),
        people=people(),
        snoozes=SNOOZES,
        old_days=OLD_DAYS,
        now=timezone.now(),
        chips=_chips(request, question),
        clear_url=reverse("exceptions:exceptions"),
        here=request.get_full_path(),
    )


def _question(request: HttpRequest) -> ExceptionQuestion:
    chosen = request.GET
    severity = chosen.get("severity", "")
    return ExceptionQuestion(
        state=chosen.get("state", "") if chosen.get("state") in dict(STATES) else "waiting",
        kind=chosen.get("kind", "")[:40],
        severity=int(severity) if severity in {str(value) for value in Severity.values} else None,
        owner=chosen.get("owner", "")[:12],
        person_id=request.user.pk,
        older_than_days=int(chosen["age"]) if chosen.get("age") in dict(AGES) else None,
        text=chosen.get("q", "").strip()[:100],
    )


def _chips(request: HttpRequest, question: ExceptionQuestion) -> list[Chip]:
    owner = {"mine": "Mine", "nobody": "Nobody's"}.get(question.owner, "One person's")
    words = (
        ("q", question.text and f"Matches “{question.text}”"),
        ("kind", question.kind and kind_words(question.kind)),
        ("severity", "" if question.severity is None else str(Severity(question.severity).label)),
        ("owner", question.owner and owner),
        ("age", "" if question.older_than_days is None else dict(AGES)[str(question.older_than_days)]),
    )
    return [Chip(label, without(request.GET, name)) for name, label in words if label]


def _dress(case: ExceptionCase) -> None:
    """What the page shows of a case beside its columns."""
    now = timezone.now()
    dressed: Any = case
    dressed.tone = TONES[Severity(case.severity)]
    dressed.kind_label = kind_words(case.kind)
    dressed.is_old = (now - case.opened_at).days >= OLD_DAYS and case.state != ExceptionState.RESOLVED
    dressed.is_away = case.state == ExceptionState.SNOOZED and (case.snoozed_until or now) > now


def _exported(case: ExceptionCase) -> Sequence[str | int]:
    return (
        str(Severity(case.severity).label),
        kind_words(case.kind),
        case.title,
        case.reason,
        case.subject,
        case.owner.get_username() if case.owner else "",
        timezone.localtime(case.opened_at).strftime("%Y-%m-%d %H:%M"),
        case.times_seen,
        case.get_state_display(),
        case.resolution,
    )


@require_GET
@permission_required("inventory.view_exceptioncase", raise_exception=True)
def exception(request: HttpRequest, pk: int) -> HttpResponse:
    """One case: why, what shows it, what would help, and what was done about it."""
    return _case_page(request, get_object_or_404(ExceptionCase, pk=pk))


def _case_page(request: HttpRequest, case: ExceptionCase, *, refusal: DomainError | None = None) -> HttpResponse:
    found = ExceptionCase.objects.select_related("owner", "resolved_by").get(pk=case.pk)
    _dress(found)
    return render_page(
        request,
        "inventory/exceptions/exception.html",
        title=found.title,
        crumbs=[Crumb("Exceptions", reverse("exceptions:exceptions"))],
        status=409 if refusal is not None else None,
        case=found,
        evidence=[
            (name.replace("_", " ").capitalize(), _plain(value))
            for name, value in found.evidence.items()
            if name not in LINKED and value != ""
        ],
        postings=_postings(found.evidence),
        events=list(found.events.select_related("actor")),
        people=people(),
        snoozes=SNOOZES,
        refusal=refusal,
        now=timezone.now(),
    )


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    return str(value)


def _postings(evidence: dict[str, Any]) -> list[int]:
    """The postings that the evidence names, each once."""
    named = [evidence.get("posting"), *(evidence.get("postings") or [])]
    return [number for number in dict.fromkeys(named) if isinstance(number, int)]


@require_POST
@permission_required("inventory.resolve_exceptioncase", raise_exception=True)
def act(request: HttpRequest, pk: int) -> HttpResponse:
    """Do one thing with one case."""
    case = get_object_or_404(ExceptionCase, pk=pk)
    try:
        verb, doing = _doing(request)
        doing(case)
    except DomainError as error:
        return _case_page(request, case, refusal=error)
    target = safe_next(request, reverse("exceptions:exception", args=[pk]))
    return go_to(request, target, message=f"{DONE_WORDS[verb]}: {case.title}.")


@require_POST
@permission_required("inventory.resolve_exceptioncase", raise_exception=True)
def act_on_many(request: HttpRequest) -> HttpResponse:
    """Do one thing with every marked case, all or none."""
    numbers = whole_numbers(request.POST.getlist("case"))[:BULK_MAX]
    target = safe_next(request, reverse("exceptions:exceptions"))
    if not numbers:
        return go_to(request, target, message="Mark the exceptions first.", level=30)
    cases = list(ExceptionCase.objects.filter(pk__in=numbers).order_by("pk"))

    def work() -> str:
        verb, doing = _doing(request)
        for case in cases:
            doing(case)
        return verb

    try:
        verb = run_in_transaction(work)
    except DomainError as error:
        return go_to(request, target, message=f"Nothing was changed. {error.message}", level=40)
    return go_to(
        request, target, message=f"{DONE_WORDS[verb]}: {len(cases)} exception{'' if len(cases) == 1 else 's'}."
    )


def _doing(request: HttpRequest) -> tuple[str, Callable[[ExceptionCase], object]]:
    """The verb that was pressed and what it does with a case."""
    actor, words = request.user, request.POST.get("words", "")
    verb = request.POST.get("do", "")
    if verb not in DO:
        raise WrongState("Nothing was chosen. Press one of the buttons.")
    if verb == "assign":
        if not request.user.has_perm("inventory.assign_exceptioncase"):
            raise PermissionDenied("Giving exceptions to others needs a privilege.")
        owner = User.objects.filter(pk=request.POST.get("owner") or 0, is_active=True).first()
        return verb, lambda case: assign_exception(case=case, owner=_somebody(owner), actor=actor)
    if verb == "snooze":
        until = snooze_until(request.POST.get("until", ""))
        return verb, lambda case: snooze_exception(case=case, until=until or timezone.now(), actor=actor)
    verbs: dict[str, Callable[[ExceptionCase], object]] = {
        "take": lambda case: take_exception(case=case, actor=actor),
        "release": lambda case: assign_exception(case=case, owner=None, actor=actor),
        "wake": lambda case: wake_exception(case=case, actor=actor),
        "resolve": lambda case: resolve_exception(case=case, resolution=words, actor=actor),
        "reopen": lambda case: reopen_exception(case=case, note=words, actor=actor),
        "note": lambda case: note_exception(case=case, words=words, actor=actor),
    }
    return verb, verbs[verb]


def _somebody(owner: User | None) -> User:
    if owner is None:
        raise WrongState("Choose who it is given to.")
    return owner


@require_http_methods(["GET", "POST"])
@permission_required("inventory.report_exceptioncase", raise_exception=True)
def report(request: HttpRequest) -> HttpResponse:
    """Report a problem; whoever looks after exceptions sees it."""
    asked = {"about": request.GET.get("about", "")[:120], "url": request.GET.get("url", "")[:300]}
    form = ProblemForm(request.POST) if request.method == "POST" else ProblemForm(initial=asked)
    if form.is_valid():
        data = {**form.cleaned_data, "key": form.cleaned_data["key"] or key_from(request)}
        case = report_problem(**data, actor=request.user)
        sees = request.user.has_perm("inventory.view_exceptioncase")
        target = reverse("exceptions:exception", args=[case.pk]) if sees else reverse("today")
        return go_to(request, target, message="Thank you. It is in the queue.")
    return render_page(
        request,
        "inventory/exceptions/report.html",
        part="inventory/exceptions/_report.html",
        title="Report a problem",
        form=form,
    )
