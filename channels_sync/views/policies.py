"""Rules of how much each channel may show: the list, one rule with its history, the editor with its live effect."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from channels_sync.allocation.plain import sentences
from channels_sync.allocation.vocabulary import BY_COLUMN
from channels_sync.forms.policies import SCOPE_FIELDS, PolicyForm, RuleForm, values_of
from channels_sync.models import AllocationPolicy, Channel
from channels_sync.operations.allocating import set_policy, versions_of, withdraw_policy
from channels_sync.operations.rehearsing_rules import outlook_of_withdrawal
from channels_sync.reads.policy_effect import Effect, effect_of, inherited_terms
from channels_sync.reads.rulebook import Proposal
from channels_sync.reads.scopes import items_in, listings_in
from inventory.errors import DomainError
from inventory.filters import Chip, without
from inventory.quantities import as_text
from inventory.web import Crumb, go_to, render_page
from inventory.whole_numbers import whole_number

RULES_PER_PAGE = 50
SCOPE = ("channel", "category", "item", "listing")


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule in words."""

    policy: AllocationPolicy
    words: list[str]
    is_planned: bool


def row_of(policy: AllocationPolicy) -> RuleRow:
    return RuleRow(policy, sentences(policy.terms), policy.effective_from > timezone.now())


def _crumbs() -> list[Crumb]:
    return [
        Crumb("Channels", reverse("channels_sync:channels")),
        Crumb("Allocation rules", reverse("channels_sync:policies")),
    ]


def _known(rows: QuerySet[AllocationPolicy] | None = None) -> QuerySet[AllocationPolicy]:
    return (AllocationPolicy.objects.all() if rows is None else rows).select_related(
        "channel", "category", "item", "listing__channel", "listing__item", "campaign", "created_by"
    )


@require_GET
@permission_required("channels_sync.view_allocationpolicy", raise_exception=True)
def policies(request: HttpRequest) -> HttpResponse:
    """The newest version of every lasting rule, the widest first."""
    text = request.GET.get("q", "").strip()[:200]
    code = request.GET.get("channel", "")[:32]
    found = _known(AllocationPolicy.objects.standing())
    chips = []
    if text:
        found = found.filter(
            Q(item__sku__icontains=text) | Q(listing__external_sku__icontains=text) | Q(category__name__icontains=text)
            | Q(channel__name__icontains=text) | Q(note__icontains=text)
        )  # fmt: skip
        chips.append(Chip(f"“{text}”", without(request.GET, "q")))
    channel = Channel.objects.filter(code=code).first() if code else None
    if channel is not None:
        found = found.filter(Q(channel=channel) | Q(listing__channel=channel))
        chips.append(Chip(channel.name, without(request.GET, "channel")))
    widest_first = [F(name).asc(nulls_first=True) for name in ("listing", "item", "category", "channel")]
    ordered = found.order_by(*widest_first, "pk")
    page = Paginator(ordered, RULES_PER_PAGE).get_page(request.GET.get("page"))
    return render_page(
        request,
        "channels_sync/policies.html",
        title="Allocation rules",
        crumbs=_crumbs()[:1],
        page_object=page,
        rows=[row_of(policy) for policy in page.object_list],
        text=text,
        chips=chips,
        channels=list(Channel.objects.order_by("name")),
        chosen=channel,
        clear_url=without(request.GET, "q", "channel"),
    )


@dataclass(frozen=True, slots=True)
class Version:
    policy: AllocationPolicy
    changes: list[tuple[str, str, str]]
    """Label, before, after: what differs from the version before."""


@require_GET
@permission_required("channels_sync.view_allocationpolicy", raise_exception=True)
def policy_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One version of a rule in words, and every version of its scope with what each one changed."""
    policy = get_object_or_404(_known(), pk=pk)
    scope = {name: getattr(policy, name) for name in SCOPE}
    versions = versions_of(scope, policy.campaign).select_related("created_by", *SCOPE, "listing__channel")
    found = list(versions.order_by("version"))
    now = timezone.now()
    return render_page(
        request,
        "channels_sync/policy.html",
        title=policy.scope,
        crumbs=_crumbs(),
        policy=policy,
        row=row_of(policy),
        is_in_force=policy.effective_from <= now and (policy.effective_to is None or policy.effective_to > now),
        is_open=policy.effective_to is None and policy.campaign_id is None,
        newest=found[-1],
        covered=listings_in(**scope).count(),
        versions=[Version(one, _changes(before, one)) for before, one in zip([None, *found], found, strict=False)][
            ::-1
        ],
    )


def _changes(before: AllocationPolicy | None, after: AllocationPolicy) -> list[tuple[str, str, str]]:
    old, new = ({} if one is None else one.terms for one in (before, after))
    return [
        (spec.label, _shown(old.get(column)), _shown(new.get(column)))
        for column, spec in BY_COLUMN.items()
        if old.get(column) != new.get(column)
    ]


def _shown(value: Any) -> str:
    if value is None:
        return "inherited"
    return as_text(value) if isinstance(value, Decimal) else str(value)


@require_http_methods(["GET", "POST"])
@permission_required("channels_sync.change_allocationpolicy", raise_exception=True)
def edit_policy(request: HttpRequest) -> HttpResponse:
    """The editor: a new version of the rule of one scope. `?policy=` begins with an existing one."""
    assert request.user.is_authenticated
    refusal: DomainError | None = None
    if request.method == "POST":
        form = PolicyForm(request.POST)
        if form.is_valid():
            try:
                policy = set_policy(
                    actor=request.user,
                    note=form.cleaned_data["note"],
                    starts_at=form.cleaned_data["starts_at"],
                    **form.scope,
                    **form.terms,
                )
            except DomainError as error:
                refusal = error
                term = str(error.context.get("term", ""))
                form.add_error(term if term in form.fields else None, error.message)
            else:
                words = "begins as planned" if policy.effective_from > timezone.now() else "is in force"
                return go_to(
                    request, "channels_sync:policy", policy.pk,
                    message=f"{policy.scope}: version {policy.version} {words}. Figures follow within seconds.",
                )  # fmt: skip
    else:
        form = PolicyForm(initial=_initial(request))
    effect = _effect(form) if form.is_bound and refusal is None else None
    form.show_inherited(inherited_terms(at=timezone.now(), **_scope_shown(form)))
    return render_page(
        request,
        "channels_sync/edit_policy.html",
        title="Change a rule" if request.GET.get("policy") else "Set a rule",
        crumbs=_crumbs(),
        form=form,
        effect=effect,
        words=[],
    )


def _scope_shown(form: PolicyForm) -> dict[str, Any]:
    """The scope the editor shows, as far as it can be read."""
    if form.is_bound:
        data = getattr(form, "cleaned_data", {})
        return {name: data.get(name) for name in SCOPE} if not form.errors else {}
    initial = PolicyForm({name: form.get_initial_for_field(form.fields[name], name) for name in SCOPE_FIELDS})
    return initial.scope if initial.is_valid() else {}


def _initial(request: HttpRequest) -> dict[str, Any]:
    """What the editor begins with: an existing version, or the scope named in the address."""
    wanted = whole_number(request.GET.get("policy"))
    if wanted is not None:
        policy = _known().filter(pk=wanted).first()
        if policy is not None:
            return values_of(policy)
    return named_in_address(request)


def named_in_address(request: HttpRequest) -> dict[str, Any]:
    """The scope and terms named in the address, as the simulator sends people here."""
    return {name: request.GET[name] for name in (*SCOPE_FIELDS, *BY_COLUMN, "note") if name in request.GET}


@require_GET
@permission_required("channels_sync.change_allocationpolicy", raise_exception=True)
def policy_effect(request: HttpRequest) -> HttpResponse:
    """What the rule in the form would do to every listing it touches. Nothing is written."""
    form = PolicyForm(request.GET)
    is_valid = form.is_valid()
    return render_page(
        request,
        "channels_sync/policy_effect.html",
        part="channels_sync/_policy_effect.html",
        title="What the rule would do",
        crumbs=_crumbs(),
        problems=[] if is_valid else problems_of(form),
        effect=_effect(form) if is_valid else None,
        words=sentences(form.terms) if is_valid else [],
        status=200,
    )


def problems_of(form: RuleForm) -> list[str]:
    """What is wrong with a form, each with the name of its field."""
    found = []
    for name, errors in form.errors.items():
        label = form[name].label if name in form.fields else ""
        found += [f"{label}: {error}" if label else str(error) for error in errors]
    return found


def _effect(form: PolicyForm) -> Effect | None:
    if not form.is_valid():
        return None
    starts_at = form.cleaned_data.get("starts_at")
    proposal = Proposal(form.scope_ids, form.terms)
    at = starts_at if starts_at is not None and starts_at > timezone.now() else None
    return effect_of(items=sorted(items_in(**form.scope)), proposals=[proposal], at=at)


@require_http_methods(["GET", "POST"])
@permission_required("channels_sync.change_allocationpolicy", raise_exception=True)
def withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    """What listings would show without a version that has not begun, and taking it back."""
    assert request.user.is_authenticated
    policy = get_object_or_404(_known(), pk=pk)
    try:
        if request.method == "POST":
            before = withdraw_policy(policy=policy, actor=request.user)
            message = f"{policy.scope}: what was planned is withdrawn."
            return go_to(request, "channels_sync:policy", before.pk if before is not None else pk, message=message)
        effect = outlook_of_withdrawal(policy=policy)
    except DomainError as error:
        return go_to(request, "channels_sync:policy", pk, message=error.message, level=40)
    return render_page(
        request,
        "channels_sync/withdraw_policy.html",
        title=f"Withdraw {policy}",
        crumbs=[*_crumbs(), Crumb(policy.scope, reverse("channels_sync:policy", args=[pk]))],
        policy=policy,
        row=row_of(policy),
        effect=effect,
        words=[],
    )
