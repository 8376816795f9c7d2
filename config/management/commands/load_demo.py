"""`manage.py load_demo`: the demo company, through operations. Loading again changes nothing."""

import os
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from config.demo.buying import ensure_buying
from config.demo.catalogue import ensure_boms, ensure_items, ensure_places
from config.demo.checking import ensure_checked, ensure_upkeep
from config.demo.closing import ensure_close
from config.demo.completing import ensure_lanterns
from config.demo.counting import ensure_counts
from config.demo.drifting import ensure_drift
from config.demo.elsewhere import ensure_elsewhere
from config.demo.learning import ensure_measurements
from config.demo.making import ensure_history
from config.demo.marketplace import ensure_marketplace
from config.demo.moving import ensure_movements
from config.demo.ordering import ensure_ordering
from config.demo.people import Logins, ensure_people
from config.demo.quality import ensure_quality
from config.demo.recipes import ensure_recipes
from config.demo.rehearsing import ensure_rehearsed
from config.demo.selling import ensure_selling
from config.demo.sending import ensure_sending
from config.demo.shop import ensure_shop
from config.demo.stalling import ensure_stall_days
from config.demo.steps import is_done
from inventory.models import Item, Posting
from inventory.operations.ranking_counts import rank_items
from production.models import Completion, WorkOrder


class Command(BaseCommand):
    help = "Load the demo company: places, items, BOMs, stock, work orders, users and the sandbox shop."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--force", action="store_true", help="also into a database that has other items")

    def handle(self, *_: Any, **options: Any) -> None:
        if Item.objects.exists() and not is_done("opening") and not options["force"]:
            raise CommandError(
                f"This database has {Item.objects.count()} items that are not the demo company's. Load the demo into an empty "
                "database, or add --force if it may stand beside them."
            )
        with transaction.atomic():
            logins = ensure_people()
            actor = User.objects.get(username="administrator")
            ensure_places()
            ensure_items(actor)
            ensure_boms(actor)
            ensure_history(actor)
            ensure_measurements(actor)
            ensure_movements(actor)
            ensure_close(actor)
            ensure_upkeep()
            ensure_counts(actor)
            ensure_elsewhere(actor)
            ensure_buying(actor)
            ensure_quality(actor)
            ensure_lanterns(actor)
            ensure_ordering(actor)
            ensure_recipes(actor)
            rank_items(actor=actor)
        channel = ensure_shop(actor)
        ensure_selling(channel, actor)
        ensure_rehearsed(channel, actor)
        ensure_sending(channel, actor)
        ensure_marketplace(channel, actor)
        ensure_stall_days(channel, actor)
        ensure_drift(channel, actor)
        ensure_checked()
        self._say(logins, None if channel is None else channel.storefront_url)

    def _say(self, logins: Logins, shop: str | None) -> None:
        lines = [
            f"{Item.objects.count()} items, {Posting.objects.count()} postings, {Completion.objects.count()} completions, "
            f"{WorkOrder.objects.count()} work orders",
            f"address    {os.environ.get('BACKFLUSH_BASE_URL', 'http://127.0.0.1:8000')}",
            f"shop       {shop or 'none: no sandbox shop runs beside this checkout'}",
            *(f"log-in     {name:<14} {password}" for name, password in logins.passwords.items()),
            f"API token  {logins.api_token}",
            f"kept in    {logins.path}",
        ]
        for line in lines:
            self.stdout.write(line)
