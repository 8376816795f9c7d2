"""The simulator: ask what other rules would have done with the demand of past weeks, and look at the answer."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from channels_sync.forms.policies import SCOPE_FIELDS
from channels_sync.forms.simulations import SimulationForm
from channels_sync.models import Campaign, Simulation, SimulationState
from channels_sync.operations.simulating import ask_simulation
from channels_sync.reads.simulations import (
    RuleWords,
    answer_of,
    assumptions_in_words,
    gains_of,
    has_same_answer,
    has_same_inputs,
    rules_in_words,
)
from channels_sync.simulation import Question
from channels_sync.tasks import run_simulations, send_message
from channels_sync.views.bars import HEIGHT, WIDTH
from channels_sync.views.simulation_chart import panels_of
from inventory.errors import DomainError
from inventory.web import Crumb, go_to, key_from, part_for, render_page
from inventory.whole_numbers import whole_numbers

SIMULATIONS_PER_PAGE = 25
PROGRESS = {"simulation-progress": "channels_sync/_simulation_progress.html"}
TONES = {
    SimulationState.WAITING: ("quiet", "hourglass_empty"),
    SimulationState.RUNNING: ("info", "hourglass_top"),
    SimulationState.DONE: ("good", "check_circle"),
    SimulationState.FAILED: ("blocked", "error"),
}


def _crumbs(*, deep: bool = True) -> list[Crumb]:
    way = [Crumb("Channels", reverse("channels_sync:channels"))]
    return [*way, Crumb("Simulator", reverse("channels_sync:simulations"))] if deep else way


def state_of(simulation: Simulation) -> tuple[str, str, str]:
    """A word, its tone and an icon."""
    state = SimulationState(simulation.state)
    return (str(state.label), *TONES[state])


@require_GET
@permission_required("channels_sync.view_simulation", raise_exception=True)
def simulations(request: HttpRequest) -> HttpResponse:
    """Every simulation, the newest first."""
    found = Simulation.objects.select_related("created_by")
    page = Paginator(found, SIMULATIONS_PER_PAGE).get_page(request.GET.get("page"))
    return render_page(
        request,
        "channels_sync/simulations.html",
        title="Simulator",
        crumbs=_crumbs(deep=False),
        page_object=page,
        rows=[(one, state_of(one), gains_of(one), Question.from_json(one.question)) for one in page.object_list],
    )


@require_http_methods(["GET", "POST"])
@permission_required("channels_sync.add_simulation", raise_exception=True)
def new_simulation(request: HttpRequest) -> HttpResponse:
    """Ask what a rule, a planned one or a campaign would have done."""
    assert request.user.is_authenticated
    if request.method == "POST":
        form = SimulationForm(request.POST)
        if form.is_valid():
            try:
                result = ask_simulation(
                    key=form.cleaned_data["key"], question=form.question, title=form.title_or_words, actor=request.user
                )
            except DomainError as error:
                term = str(error.context.get("term", ""))
                form.add_error(term if term in form.fields else None, error.message)
            else:
                _wake()
                return go_to(request, "channels_sync:simulation", result.simulation.pk)
    else:
        form = SimulationForm(initial=_initial(request))
    return render_page(request, "channels_sync/new_simulation.html", title="Try out rules", crumbs=_crumbs(), form=form)


def _initial(request: HttpRequest) -> dict[str, Any]:
    """What the address names: a planned rule or a campaign to try, or fields of the form."""
    names = set(SimulationForm.base_fields) | set(SCOPE_FIELDS)
    found: dict[str, Any] = {name: request.GET[name] for name in names & set(request.GET) if name != "key"}
    if "of_channels" in found:
        found["of_channels"] = whole_numbers(request.GET.getlist("of_channels"))
    return {**found, "key": uuid4()}


@require_GET
@permission_required("channels_sync.view_simulation", raise_exception=True)
def simulation_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One simulation: how far it is, or what came out."""
    simulation = get_object_or_404(Simulation.objects.select_related("created_by", "repeats"), pk=pk)
    if simulation.is_over and part_for(request, PROGRESS) is not None:
        return go_to(request, "channels_sync:simulation", pk)  # the whole page, with the answer
    question = Question.from_json(simulation.question)
    answer = answer_of(simulation)
    kept = simulation.result
    rules = rules_in_words(question)
    return render_page(
        request,
        "channels_sync/simulation.html",
        part=PROGRESS,
        title=simulation.title,
        crumbs=_crumbs(),
        simulation=simulation,
        state=state_of(simulation),
        question=question,
        rules=rules,
        assumptions=assumptions_in_words(question),
        answer=answer,
        panels=panels_of(kept["present"]["weeks"], kept["proposed"]["weeks"]) if kept else [],
        chart={"width": WIDTH, "height": HEIGHT},
        same_inputs=has_same_inputs(simulation),
        same_answer=has_same_answer(simulation),
        **_ways_on(rules),
    )


def _ways_on(rules: list[RuleWords]) -> dict[str, Any]:
    """Where a rule that was tried is put in force: its editor shows the effect before anything holds."""
    if len(rules) == 1 and rules[0].edit is not None:
        fields = urlencode(rules[0].edit)
        return {
            "edit_url": f"{reverse('channels_sync:edit_policy')}?{fields}",
            "campaign_url": f"{reverse('channels_sync:new_campaign')}?{fields}",
        }
    name = next((rule.campaign for rule in rules if rule.campaign), "")
    campaign = Campaign.objects.filter(name=name).order_by("-pk").first() if name else None
    return {"planned_url": "" if campaign is None else reverse("channels_sync:campaign", args=[campaign.pk])}


@require_POST
@permission_required("channels_sync.add_simulation", raise_exception=True)
def repeat_simulation(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask the same again, of the data as they stand now."""
    assert request.user.is_authenticated
    before = get_object_or_404(Simulation, pk=pk)
    try:
        result = ask_simulation(
            key=key_from(request),
            question=Question.from_json(before.question),
            title=before.title,
            repeats=before,
            actor=request.user,
        )
    except DomainError as error:
        return go_to(request, "channels_sync:simulation", pk, message=error.message, level=40)
    _wake()
    return go_to(request, "channels_sync:simulation", result.simulation.pk)


def _wake() -> None:
    """Wake a worker now; without a broker the scheduler finds it within a minute."""
    transaction.on_commit(lambda: send_message(run_simulations))
