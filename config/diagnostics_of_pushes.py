"""All that concerns one run of publishing or one listing in one file; see diagnostics."""

from collections.abc import Collection, Iterator
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from channels_sync.models import (
    AllocationPolicy,
    Channel,
    Difference,
    Freeze,
    Hold,
    Listing,
    ListingPush,
    ListingReading,
    PublicationLine,
    PublishRun,
)
from config.diagnostics import ROWS_MAX, Section, file_of
from inventory.models import Item, Movement, Posting, StockBalance


def sections_of_run(run: PublishRun) -> Iterator[Section]:
    """The tables that say something about a run, each with its rows, newest first where a table is long."""
    yield "run", PublishRun.objects.filter(pk=run.pk)
    lines, holds = PublicationLine.objects.filter(run=run), Hold.objects.filter(run=run)
    yield "publications", lines.order_by("pk")
    yield "holds", holds.order_by("pk")
    touched = Listing.objects.filter(Q(pk__in=lines.values("listing_id")) | Q(pk__in=holds.values("listing_id")))
    listings = list(touched.order_by("pk").values_list("pk", flat=True)[:ROWS_MAX])
    yield from _of_listings(listings)
    caused = [] if run.posting_id is None else [run.posting_id]
    yield "postings", Posting.objects.filter(pk__in=caused)
    yield "movements", Movement.objects.filter(posting__in=caused).order_by("pk")
    people = Q(pk__in=run.actors) | Q(pk__in=holds.filter(decided_by__isnull=False).values("decided_by_id"))
    yield "people", _people(people)


def sections_of_listing(listing: Listing) -> Iterator[Section]:
    """The tables that say something about a listing, each with its rows, newest first where a table is long."""
    yield "listing_history", Listing.history.filter(id=listing.pk).order_by("-history_id")
    lines, holds = PublicationLine.objects.filter(listing=listing), Hold.objects.filter(listing=listing)
    yield "publications", lines.order_by("-pk")
    yield "holds", holds.order_by("-pk")
    runs = list(lines.order_by("-pk").values_list("run_id", flat=True)[:ROWS_MAX])
    yield "runs", PublishRun.objects.filter(Q(pk__in=runs) | Q(pk__in=holds.values("run_id"))).order_by("-pk")
    yield from _of_listings([listing.pk])
    yield "balances", StockBalance.objects.filter(item=listing.item_id).order_by("pk")
    decided = Q(pk__in=holds.filter(decided_by__isnull=False).values("decided_by_id"))
    settled = Difference.objects.filter(listing=listing, done_by__isnull=False).values("done_by_id")
    yield "people", _people(decided | Q(pk__in=settled))


def _of_listings(listings: Collection[int]) -> Iterator[Section]:
    chosen = Listing.objects.filter(pk__in=listings)
    channels, items = chosen.values("channel_id"), chosen.values("item_id")
    yield "listings", chosen.order_by("pk")
    yield "listing_pushes", ListingPush.objects.filter(listing__in=listings).order_by("pk")
    yield "readings", ListingReading.objects.filter(listing__in=listings).order_by("pk")
    yield "differences", Difference.objects.filter(listing__in=listings).order_by("-pk")
    lids = Q(listing__in=listings) | Q(item__in=items) | Q(channel__in=channels)
    yield "freezes", Freeze.objects.filter(lids).order_by("-pk")
    ruled = Q(listing__in=listings) | Q(item__in=items) | Q(channel__in=channels)
    yield "allocation_policies", AllocationPolicy.objects.filter(ruled).order_by("-pk")
    yield "channels", Channel.objects.filter(pk__in=channels).order_by("pk")
    yield "items", Item.objects.filter(pk__in=items).order_by("pk")


def _people(which: Q) -> QuerySet[Any]:
    return User.objects.filter(which).only("username").order_by("pk")


@require_GET
@permission_required("inventory.read_audit", raise_exception=True)
def run_file(request: HttpRequest, pk: int) -> HttpResponse:
    """A JSON file of everything about one run of publishing; a fixed number of statements."""
    run = get_object_or_404(PublishRun, pk=pk)
    return file_of(request, what="run", name=str(run.pk), sections=sections_of_run(run))


@require_GET
@permission_required("inventory.read_audit", raise_exception=True)
def listing_file(request: HttpRequest, pk: int) -> HttpResponse:
    """A JSON file of everything about one listing; a fixed number of statements."""
    listing = get_object_or_404(Listing.objects.select_related("channel"), pk=pk)
    return file_of(request, what="listing", name=listing.external_sku, sections=sections_of_listing(listing))
