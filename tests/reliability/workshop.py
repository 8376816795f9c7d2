"""The small workshop a run works in, and what its shop must show. Made through operations, like anybody's."""

import json
import os
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

PRODUCTS = 72
COMPONENTS = 4
PLACE = "KILL-HALL"
ON_HAND_FIRST = 1_000_000
SHOP_LOCATION = "gid://shopify/Location/1001"
CHANNEL = "kill-shop"


@dataclass(frozen=True)
class Rule:
    """What a listing may show of its item, in whole units."""

    percent: int = 90
    buffer: int = 2
    minimum: int = 0
    maximum: int | None = None
    pack: int = 1

    def shown(self, on_hand):
        """The figure for so many on hand, worked out here on purpose and not by the product."""
        share = max(0, on_hand - self.buffer) * self.percent // 100
        share = 0 if share < self.minimum else share
        share = share if self.maximum is None else min(share, self.maximum)
        return share // self.pack


@dataclass(frozen=True)
class Workshop:
    """Names and rates; plain values only."""

    token: str
    recipes: dict[str, dict[str, int]]  # product -> component -> quantity of one
    rules: dict[str, Rule]  # listed SKU -> rule
    last_posting_before: int

    @property
    def products(self):
        return sorted(self.recipes)

    @property
    def components(self):
        return sorted({component for recipe in self.recipes.values() for component in recipe})


def plan_recipes():
    """Each product needs three of four components, in differing orders and amounts: everybody wants the same rows."""
    recipes = {}
    for number in range(PRODUCTS):
        names = [f"KILL-C{(number + offset) % COMPONENTS + 1}" for offset in range(3)]
        recipes[f"KILL-P{number + 1:02}"] = {name: 1 + (number + at) % 3 for at, name in enumerate(names)}
    return recipes


def plan_rules(recipes):
    """Every third product has a rule of its own, every fourth is sold in packs; one component is sold as well."""
    rules = {}
    for number, product in enumerate(sorted(recipes)):
        pack = 3 if number % 4 == 3 else 1
        rules[product] = Rule(pack=pack) if number % 3 else Rule(percent=50, minimum=4, maximum=5_000, pack=pack)
    rules["KILL-C1"] = Rule()
    return rules


def make_workshop():
    """Everything a run needs, in the present database and in the sandbox shop. Django must be set up."""
    from django.contrib.auth.models import Group, User
    from django_celery_beat.models import PeriodicTask
    from rest_framework.authtoken.models import Token

    from inventory.models import Item, ItemKind, Location, Posting
    from inventory.operations.receiving import ReceiptLine, receive_stock
    from production.bom_checks import BomLineSpec
    from production.operations.boms import activate_bom, create_draft

    # The hourly recompute of everything would hide news that was lost.
    for task in PeriodicTask.objects.filter(task="channels_sync.tasks.recompute_everything"):
        task.enabled = False
        task.save()
    recipes = plan_recipes()
    rules = plan_rules(recipes)
    user = User.objects.create_user("kill-test")
    user.groups.add(Group.objects.get(name="operator"))
    token = Token.objects.create(user=user)
    place = Location.objects.create(code=PLACE, name="Hall of the reliability run")
    items = {}
    for sku in sorted({component for recipe in recipes.values() for component in recipe}):
        items[sku] = Item.objects.create(sku=sku, name=sku, step=Decimal(1), stock_unit="pcs", is_sellable=sku in rules)
    for sku in recipes:
        items[sku] = Item.objects.create(
            sku=sku, name=sku, step=Decimal(1), stock_unit="pcs", kind=ItemKind.PRODUCT, is_sellable=True
        )
    for sku, recipe in recipes.items():
        lines = [BomLineSpec(component=items[name], quantity=Decimal(amount)) for name, amount in recipe.items()]
        activate_bom(bom=create_draft(item=items[sku], lines=lines, actor=user), actor=user)
    make_listings(items=items, rules=rules, place=place, user=user)
    watch_the_news()
    last = Posting.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    components = {name for recipe in recipes.values() for name in recipe}
    receive_stock(
        key=uuid4(),
        lines=[
            ReceiptLine(item=items[name], location=place, quantity=Decimal(ON_HAND_FIRST), value=Decimal("250000.00"))
            for name in sorted(components)
        ],
        actor=user,
    )
    return Workshop(token=token.key, recipes=recipes, rules=rules, last_posting_before=last)


def make_listings(*, items, rules, place, user):
    from channels_sync.credentials import Secrets
    from channels_sync.models import Channel, ChannelMode
    from channels_sync.operations.allocating import set_policy
    from channels_sync.operations.controlling import set_channel_mode, set_credentials
    from channels_sync.operations.deciding import set_guard
    from channels_sync.operations.offering import create_listing

    with shop() as control:
        control.put_products([{"sku": sku, "title": sku, "price": "10.00", "available": 0} for sku in rules])
    channel = Channel.objects.create(
        code=CHANNEL,
        name="Shop of the reliability run",
        adapter="shopify",
        base_url=os.environ["SANDBOX_SHOP_URL"],
        external_location_id=SHOP_LOCATION,
    )
    channel.source_locations.add(place)
    # A stream that fills and empties every listing within a minute is what the guard is there to stop; here all of it flows.
    off = {"changed_percent": None, "to_zero_max": None, "times_recent_max": None, "after_bulk": False}
    set_guard(channel=channel, values=off, actor=user)
    access = (sandbox_directory() / "access-token").read_text().strip()
    set_credentials(channel=channel, secrets=Secrets(access_token=access), actor=user)
    set_policy(channel=channel, percent=Decimal(Rule().percent), buffer=Decimal(Rule().buffer), actor=user)
    for sku, rule in rules.items():
        listing = create_listing(channel=channel, item=items[sku], pack_size=Decimal(rule.pack), actor=user)
        if rule.percent != Rule().percent:
            set_policy(
                listing=listing,
                percent=Decimal(rule.percent),
                minimum_to_list=Decimal(rule.minimum),
                maximum_to_list=Decimal(rule.maximum),
                actor=user,
            )
    set_channel_mode(channel=channel, mode=ChannelMode.AUTO, actor=user)


def watch_the_news():
    """Have the database note, in the same transaction, which posting told of itself: the news themselves are deleted."""
    import psycopg

    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as owner:
        owner.execute("CREATE TABLE reliability_news (posting_id bigint)")
        owner.execute(
            "CREATE FUNCTION reliability_note_news() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$"
            " BEGIN INSERT INTO reliability_news VALUES (NEW.posting_id); RETURN NULL; END $$"
        )
        owner.execute(
            "CREATE TRIGGER reliability_note_news AFTER INSERT ON inventory_stockchange"
            " FOR EACH ROW EXECUTE FUNCTION reliability_note_news()"
        )


def sandbox_directory():
    return Path(os.environ["BACKFLUSH_VAR"]) / "sandbox"


def shop():
    """The staff entrance of the running sandbox shop."""
    from channels_sync.sandbox.control import SandboxControl

    address = json.loads((sandbox_directory() / "address.json").read_text())
    return SandboxControl(url=address["url"], control_token=address["control_token"])
