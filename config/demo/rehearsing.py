"""How the demo company tries rules out before they hold: its campaign, at four times the demand of the last six weeks."""

from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from channels_sync.models import Campaign, Channel, ChannelDemand, Simulation
from channels_sync.operations.simulating import ask_simulation, work_on_simulations
from channels_sync.reads.simulations import rules_of_campaign
from channels_sync.simulation import ProposedRule, Question
from config.demo.selling import CAMPAIGN
from config.demo.steps import key_of
from inventory.operations.posting import Actor

WEEKS = 4


def ensure_rehearsed(channel: Channel | None, actor: Actor) -> None:
    """Two simulations with their answers; nothing where nothing was sold or the campaign is over."""
    campaign = Campaign.objects.unfinished(at=timezone.now()).filter(name=CAMPAIGN).first()
    if channel is None or campaign is None or not ChannelDemand.objects.filter(channel=channel).exists():
        return
    last_day = timezone.localdate() - timedelta(days=1)
    more = ProposedRule({"buffer": Decimal(8)}, channel_id=channel.pk)
    for title, rules, percent in (
        (f"{CAMPAIGN}, demand times four", rules_of_campaign(campaign), 400),
        ("Eight of everything kept back", (more,), 100),
    ):
        key = key_of(f"simulation: {title}")
        if not Simulation.objects.filter(key=key).exists():
            question = Question(last_day=last_day, rules=rules, weeks=WEEKS, percent=percent)
            ask_simulation(key=key, question=question, title=title, actor=actor)
    work_on_simulations(simulations_max=2)
