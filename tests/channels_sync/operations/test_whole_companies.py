"""Random companies: what news and the full recompute leave behind is what each listing gives worked out for itself alone.

Tried: when news of a component that became more looks at no product, these fail.
"""

import random
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from channels_sync.allocation.terms import BUILDABLE
from channels_sync.models import AllocationPolicy, Listing, ListingPush
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.allocating import set_policy
from channels_sync.operations.deciding import freeze
from channels_sync.operations.recomputing import recompute_all
from channels_sync.reads.figures import figures_of
from channels_sync.reads.screening import Screen
from inventory.models import ItemCategory, ItemKind, StockBalance, StockChange
from inventory.operations.adjusting import adjust_stock
from inventory.operations.reserving import reserve_stock
from tests.channels_sync.factories import let_all_flow, make_channel, make_listing
from tests.factories import make_item, make_location, put_on_hand
from tests.production.factories import make_bom

pytestmark = pytest.mark.django_db
SEEDS = range(5)


@pytest.fixture(autouse=True)
def _always_true(publishing_stays_true):
    pass


class Company:
    """Components, phantoms and products of them, offered on channels with different sources and rules."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.sites = [make_location(), make_location()]
        self.area = make_location(parent=self.sites[0])
        self.categories = [ItemCategory.objects.create(name=f"Category {n}") for n in range(2)]
        self.components = [self.item(step=self.chance.choice(("1", "1", "0.001", "0.5"))) for _ in range(6)]
        self.phantom = self.item(kind=ItemKind.PHANTOM)
        self.products = [self.item(kind=ItemKind.PRODUCT, step=self.chance.choice(("1", "1", "0.5"))) for _ in range(5)]
        for component in self.components:
            self.receive(component)
        make_bom(item=self.phantom, lines=self.lines(2))
        for product in self.products:
            self.make(product)
        sources = [(), (self.sites[0],), (self.area, self.sites[1])]
        self.channels = [let_all_flow(make_channel(sources=one)) for one in sources]
        self.listings = [
            make_listing(channel=channel, item=item, pack_size=Decimal(self.chance.choice(("1", "1", "6", "0.5"))))
            for channel in self.channels
            for item in (*self.components[:3], *self.products)
        ]
        set_policy(basis=BUILDABLE, actor=None)
        for _ in range(4):
            self.rule()

    def item(self, **fields):
        return make_item(is_sellable=True, category=self.chance.choice((None, *self.categories)), **fields)

    def lines(self, count):
        return [
            (component, self.chance.choice(("1", "2", "3", "0.75")), self.odd() if self.chance.random() < 0.3 else {})
            for component in self.chance.sample(self.components, count)
        ]

    def odd(self):
        return self.chance.choice(
            (
                {"scrap_percent": Decimal("7.5")},
                {"setup_quantity": Decimal(2)},
                {"rounding_multiple": Decimal(5)},
                {"is_consumable": True},
                {"is_optional": True},
            )
        )

    def make(self, product):
        lines = self.lines(self.chance.randint(1, 4))
        if self.chance.random() < 0.3:
            lines.append((self.phantom, "1"))
        product.boms.filter(state="active").update(state="retired", effective_to=timezone.localdate())
        make_bom(
            item=product,
            lines=lines,
            makes=self.chance.choice(("1", "3")),
            process_loss_percent=Decimal(self.chance.choice(("0", "0", "12.5"))),
            effective_from=timezone.localdate(),
        )
        StockChange.objects.create(items=[product.pk], cause="bom")

    def receive(self, item):
        quantity = self.chance.randint(1, 60) * max(item.step, Decimal("0.25") if item.step < 1 else item.step)
        put_on_hand(item, self.chance.choice((*self.sites, self.area)), str(quantity))

    def take(self, item):
        cells = list(StockBalance.objects.filter(item=item, quantity__gt=0, reserved=0).order_by("pk"))
        if cells:
            cell = self.chance.choice(cells)
            part = cell.quantity if self.chance.random() < 0.3 else cell.quantity // 2 // item.step * item.step
            if part:
                adjust_stock(key=uuid4(), item=item, location=cell.location, quantity=-part, reason="taken", actor=None)

    def reserve(self, item):
        place = self.chance.choice((*self.sites, self.area))
        reserve_stock(
            item=item, location=place, quantity=item.step * 4, demand_kind="order", demand_ref=str(uuid4()),
            partial=True, actor=None,
        )  # fmt: skip

    def rule(self):
        pick = self.chance.choice
        scope = pick(
            (
                {"channel": pick(self.channels)},
                {"category": pick(self.categories)},
                {"category": pick(self.categories), "channel": pick(self.channels)},
                {"item": pick(self.products)},
                {"item": pick(self.products), "channel": pick(self.channels)},
                {"listing": pick(self.listings)},
            )
        )
        terms = pick(
            (
                {"percent": Decimal(pick(("33.3", "50", "0")))},
                {"buffer": Decimal(pick(("2", "7"))), "percent": Decimal(80)},
                {"buffer_percent": Decimal("12.5")},
                {"minimum_to_list": Decimal(5), "maximum_to_list": Decimal(12)},
                {"buildable_percent": Decimal("66.667")},
                {"basis": pick(("available", "built", "promise"))},
                {"basis": "fixed", "fixed_quantity": Decimal(9)},
                {"sharing": "weight", "weight": Decimal(pick(("1", "3")))},
                {"ring_fence": Decimal(4)},
                {"building": pick(("weight", "demand"))},
            )
        )
        set_policy(**scope, **terms, actor=None)

    def happen(self):
        item = self.chance.choice((*self.components, *self.products))
        self.chance.choice((self.receive, self.take, self.take, self.reserve, self.rule_or_bom))(item)

    def rule_or_bom(self, _item):
        if self.chance.random() < 0.5:
            self.rule()
        else:
            self.make(self.chance.choice(self.products))


def by_itself():
    """What each listing should show, each worked out alone."""
    found = {}
    for listing_id in Listing.objects.published().values_list("pk", flat=True):
        (one,) = figures_of(listing_ids=[listing_id])
        found[listing_id] = one.quantity
    return found


def shown():
    return dict(ListingPush.objects.values_list("listing_id", "wanted"))


def settle():
    while absorb_changes(rows_max=3):
        pass


@pytest.mark.parametrize("seed", SEEDS)
def test_after_any_news_every_listing_has_its_own_figure(seed):
    company = Company(seed)
    settle()
    assert shown() == by_itself()

    for _ in range(8):
        for _ in range(company.chance.randint(1, 3)):
            company.happen()
        settle()
        assert shown() == by_itself()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_full_recompute_finds_every_listing_that_changed_without_news(seed):
    company = Company(100 + seed)
    settle()
    if seed % 3 == 0:
        freeze(channel=company.channels[0], reason="a look first", actor=None)
    elif seed % 3 == 1:
        freeze(channel=company.channels[0], as_of=timezone.now(), reason="the last good ones", actor=None)
    for _ in range(6):
        company.happen()
        if seed % 2:
            settle()
    StockChange.objects.all().delete()

    recompute_all(cause="the passing of time")

    assert shown() == by_itself()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_screen_names_what_differs_and_of_plain_listings_nothing_else(seed):
    company = Company(200 + seed)
    settle()
    recompute_all(cause="once")
    StockChange.objects.all().delete()
    before = shown()
    company.chance.shuffle(company.listings)
    wrong = {listing.pk for listing in company.listings[:4]}
    for listing_id in wrong:
        ListingPush.objects.filter(pk=listing_id).update(wanted=before[listing_id] + 1)

    screen = Screen(at=timezone.now())
    named = set(screen.look_through(low=0, high=10**9).suspects)

    ListingPush.objects.filter(pk__in=wrong).update(wanted=0)
    for listing_id, quantity in before.items():
        ListingPush.objects.filter(pk=listing_id).update(wanted=quantity)
    always = set(screen.look_through(low=0, high=10**9).suspects)
    assert wrong <= named
    assert named - always == wrong - always


def test_listings_with_plain_rules_are_all_left_alone_when_nothing_changed():
    company = Company(300)
    AllocationPolicy.objects.all().delete()
    set_policy(basis=BUILDABLE, actor=None)
    set_policy(channel=company.channels[0], percent=Decimal("33.3"), buffer_percent=Decimal(10), actor=None)
    set_policy(item=company.products[0], minimum_to_list=Decimal(3), maximum_to_list=Decimal(9), actor=None)
    set_policy(category=company.categories[0], buffer=Decimal(2), actor=None)
    settle()
    recompute_all(cause="once")
    settle()

    assert Screen(at=timezone.now()).look_through(low=0, high=10**9).suspects == []


def test_the_full_recompute_in_steps_is_the_same_and_does_nothing_twice(monkeypatch):
    company = Company(7)
    settle()
    for component in company.components:
        company.take(component)
    StockChange.objects.all().delete()
    monkeypatch.setattr("channels_sync.operations.recomputing.LISTINGS_PER_SCREEN", 2)
    monkeypatch.setattr("channels_sync.operations.building.ITEMS_PER_STEP", 2)

    first = recompute_all(cause="once")
    again = recompute_all(cause="twice")

    assert first.changed > 0
    assert again.changed == 0
    assert shown() == by_itself()
