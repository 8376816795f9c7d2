"""Set-up of channels, listings and allocation policies; runs and pushes to look at."""

# ruff: noqa: ARG002  Django decides the signatures of these methods

from functools import partial
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from channels_sync.adapters.registry import ADAPTERS
from channels_sync.allocation.vocabulary import COLUMNS
from channels_sync.credentials import Secrets
from channels_sync.models import AllocationPolicy, Channel, Listing, ListingPush, PublicationLine, PublishRun
from channels_sync.operations.controlling import set_credentials
from channels_sync.operations.offering import create_listing, save_listing, still_shows_words
from inventory.admin_tools import (
    ExchangeAdmin,
    HistoryAdmin,
    ReadOnlyAdmin,
    ReadOnlyInline,
    ShellAdmin,
    is_new,
    page_button,
)
from inventory.templatetags.figures import quantity

SECRET_FIELDS = ("access_token", "client_id", "client_secret")


class ChannelForm(forms.ModelForm):  # type: ignore[type-arg]
    """A channel's account. Secrets go in and never come out: an empty field keeps what is stored."""

    adapter = forms.ChoiceField(
        choices=[(name, name.capitalize()) for name in sorted(ADAPTERS)],
        widget=UnfoldAdminSelectWidget,
        help_text="Which protocol the channel speaks.",
    )
    access_token = forms.CharField(required=False, widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}))
    client_id = forms.CharField(
        required=False, label="Client id", widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"})
    )
    client_secret = forms.CharField(required=False, widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}))

    class Meta:
        model = Channel
        fields = (
            "name",
            "code",
            "adapter",
            "base_url",
            "storefront_url",
            "api_version",
            "external_location_id",
            "source_locations",
        )

    @property
    def secrets(self) -> Secrets:
        typed = {name: str(self.cleaned_data.get(name) or "").strip() for name in SECRET_FIELDS}
        return Secrets(typed["access_token"], typed["client_id"], typed["client_secret"])

    @property
    def has_secrets(self) -> bool:
        return any((self.cleaned_data.get(name) or "").strip() for name in SECRET_FIELDS)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.has_secrets and not self.secrets.is_complete:
            missing = "client_secret" if cleaned.get("client_id") else "client_id"
            self.add_error(missing, "Give an access token, or a client id together with its secret.")
        return cleaned


@admin.register(Channel)
class ChannelAdmin(HistoryAdmin):
    form = ChannelForm
    list_display = ("name", "code", "adapter", "mode_label", "is_paused", "last_success_at", "has_credentials")
    list_filter = ("adapter", "mode")
    search_fields = ("name", "code")
    autocomplete_fields = ("source_locations",)
    prepopulated_fields: ClassVar[dict[str, tuple[str, ...]]] = {"code": ("name",)}
    readonly_fields = ("has_credentials",)
    actions_detail: ClassVar[list[str]] = ["open_channel_page", "choose_sources"]
    fieldsets = (
        (None, {"fields": (("name", "code"), ("adapter", "api_version"), ("base_url", "storefront_url"))}),
        (
            "Stock",
            {"fields": ("source_locations", "external_location_id")},
        ),
        (
            "Credentials",
            {
                "description": "They are stored encrypted and never shown again. Empty fields keep what is stored.",
                "fields": ("has_credentials", "access_token", ("client_id", "client_secret")),
            },
        ),
    )

    def get_prepopulated_fields(self, request: HttpRequest, obj: Model | None = None) -> dict[str, tuple[str, ...]]:
        return {} if obj is not None else dict(self.prepopulated_fields)

    @admin.display(description="Mode", ordering="mode")
    def mode_label(self, channel: Channel) -> str:
        return str(channel.get_mode_display()).partition(":")[0]

    @admin.display(description="Credentials stored", boolean=True)
    def has_credentials(self, channel: Channel) -> bool:
        return bool(channel.credentials)

    @page_button(description="State and listings", icon="storefront")
    def open_channel_page(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return redirect("channels_sync:channel", Channel.objects.get(pk=object_id).code)

    def save_model(self, request: HttpRequest, obj: Channel, form: Any, change: bool) -> None:
        if not change:
            obj.save()
        else:
            obj.save(update_fields=[name for name in ChannelForm.Meta.fields if name != "source_locations"])
        if form.has_secrets:
            assert request.user.is_authenticated
            set_credentials(channel=obj, secrets=form.secrets, actor=request.user)
            obj.refresh_from_db()

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        """Other source locations change what is shown: they are chosen on a page that shows that first."""
        return self.readonly_fields if obj is None else (*self.readonly_fields, "source_locations")

    @page_button(description="Source locations", icon="warehouse", permissions=["choose_sources"], url_path="sources")
    def choose_sources(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return redirect("channels_sync:sources", Channel.objects.get(pk=object_id).code)

    def has_choose_sources_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("channels_sync.change_channel")

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """A channel with history stays; it is switched off instead."""
        if not super().has_delete_permission(request, obj):
            return False
        return obj is None or not Listing.objects.filter(channel=obj.pk).exists()


class ListingForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Listing
        fields = ("channel", "item", "external_sku", "external_item_id", "title", "pack_size", "is_active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if is_new(self) and "external_sku" in self.fields:
            self.fields["external_sku"].required = False
            self.fields["external_sku"].help_text = "The SKU on the channel; empty means the item's own."

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        channel = cleaned.get("channel") or (self.instance.channel_id and self.instance.channel)
        item = cleaned.get("item")
        if is_new(self) and item is not None:
            if not item.is_active or not item.is_sellable:
                why = "not marked as sellable" if item.is_active else "inactive"
                self.add_error("item", f"{item.sku} is {why}, so it cannot be listed. Change the item first.")
            cleaned["external_sku"] = (cleaned.get("external_sku") or "").strip() or item.sku
            self.instance.external_sku = cleaned["external_sku"]
        sku = cleaned.get("external_sku")
        if channel and sku:
            same = (
                Listing.objects.filter(channel=channel, external_sku__iexact=sku).exclude(pk=self.instance.pk).first()
            )
            if same is not None:
                self.add_error("external_sku", f"{channel} already has a listing with the SKU {same.external_sku}.")
        return cleaned


class PublicationInline(ReadOnlyInline):
    model = PublicationLine
    fields = ("recorded_at", "before", "after", "state", "error")
    ordering = ("-version",)
    per_page = 20


@admin.register(Listing)
class ListingAdmin(ExchangeAdmin, HistoryAdmin):
    exchange = "listings"
    form = ListingForm
    list_display = ("external_sku", "channel", "item", "pack", "is_active")
    list_filter = ("channel", "is_active")
    list_select_related = ("channel", "item")
    search_fields = ("external_sku", "title", "item__sku")
    autocomplete_fields = ("channel", "item")
    inlines = (PublicationInline,)
    actions_detail: ClassVar[list[str]] = ["open_listing_page"]
    fields = (("channel", "item"), ("external_sku", "title"), ("pack_size", "external_item_id"), "is_active")

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        return ("channel", "item") if obj is not None else ()

    @admin.display(description="Pack", ordering="pack_size")
    def pack(self, listing: Listing) -> SafeString:
        return quantity(listing.pack_size, listing.item)

    @page_button(description="Figure and why", icon="sell")
    def open_listing_page(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return redirect("channels_sync:listing", object_id)

    def save_model(self, request: HttpRequest, obj: Listing, form: Any, change: bool) -> None:
        assert request.user.is_authenticated
        if change:
            save_listing(listing=obj, save=partial(super().save_model, request, obj, form, change), actor=request.user)
            if obj.still_shows:
                self.message_user(request, still_shows_words(obj), level=messages.WARNING)
            return
        made = create_listing(
            channel=obj.channel,
            item=obj.item,
            actor=request.user,
            external_sku=obj.external_sku,
            external_item_id=obj.external_item_id,
            title=obj.title,
            pack_size=obj.pack_size,
        )
        obj.pk, obj.title, obj.created_at = made.pk, made.title, made.created_at
        obj._state.adding = False
        if not form.cleaned_data["is_active"]:
            obj.is_active = False
            obj.save(update_fields=["is_active"])

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """A listing that published something stays; it is set inactive instead."""
        if not super().has_delete_permission(request, obj):
            return False
        return obj is None or not PublicationLine.objects.filter(listing=obj.pk).exists()


@admin.register(AllocationPolicy)
class AllocationPolicyAdmin(ExchangeAdmin, ShellAdmin):
    exchange = "policies"
    list_display = (
        "scope_words",
        "version",
        "share",
        "kept_back",
        "lowest",
        "highest",
        "effective_from",
        "in_force",
    )
    list_display_links = ("scope_words",)
    list_filter = ("channel", ("effective_to", admin.EmptyFieldListFilter))
    list_select_related = ("channel", "category", "item", "listing", "listing__channel")
    search_fields = ("item__sku", "listing__external_sku", "note")
    autocomplete_fields = ("channel", "item", "listing")
    fieldsets = (
        (
            "For what",
            {
                "description": "All empty means everything. The narrower rule decides: listing, item on a channel, item, "
                "category on a channel, category, channel, everything.",
                "fields": (("channel", "category"), ("item", "listing")),
            },
        ),
        (
            "Terms",
            {
                "description": "An empty term is inherited from the wider rule. The page “Allocation rules” shows what a "
                "change would do before it is saved.",
                "fields": (*COLUMNS, "note"),
            },
        ),
    )

    @admin.display(description="For", ordering="channel__name")
    def scope_words(self, policy: AllocationPolicy) -> str:
        return policy.scope

    @admin.display(description="Percent", ordering="percent")
    def share(self, policy: AllocationPolicy) -> SafeString:
        return quantity(policy.percent, "%")

    @admin.display(description="Buffer", ordering="buffer")
    def kept_back(self, policy: AllocationPolicy) -> SafeString:
        return quantity(policy.buffer)

    @admin.display(description="Shown from", ordering="minimum_to_list")
    def lowest(self, policy: AllocationPolicy) -> SafeString:
        return quantity(policy.minimum_to_list)

    @admin.display(description="At most", ordering="maximum_to_list")
    def highest(self, policy: AllocationPolicy) -> SafeString:
        return quantity(policy.maximum_to_list)

    @admin.display(description="In force", boolean=True)
    def in_force(self, policy: AllocationPolicy) -> bool:
        return policy.effective_to is None

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Versions are never edited: a change of the rule is a new one."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    actions_detail: ClassVar[list[str]] = ["new_version"]

    def has_new_version_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.has_add_permission(request) is True

    @page_button(description="Change this rule", icon="edit", permissions=["new_version"], url_path="new-version")
    def new_version(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """The form for the next version, filled in with this one."""
        policy = AllocationPolicy.objects.get(pk=object_id)
        if policy.campaign_id is not None:  # its rules are changed with the campaign
            return redirect("channels_sync:campaign", policy.campaign_id)
        return redirect(f"{reverse('channels_sync:edit_policy')}?policy={policy.pk}")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """The editor shows what a rule would do before it is saved."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        return redirect("channels_sync:edit_policy")


class LineInline(ReadOnlyInline):
    model = PublicationLine
    fields = ("listing", "before", "after", "state", "error")

    def get_queryset(self, request: HttpRequest) -> QuerySet[PublicationLine]:
        return super().get_queryset(request).select_related("listing", "listing__channel")  # type: ignore[no-any-return]


@admin.register(PublishRun)
class PublishRunAdmin(ReadOnlyAdmin):
    list_display = ("id", "recorded_at", "channel", "cause", "listings_checked", "listings_changed")
    list_filter = ("channel",)
    list_select_related = ("channel",)
    inlines = (LineInline,)


@admin.register(ListingPush)
class ListingPushAdmin(ReadOnlyAdmin):
    list_display = (
        "listing",
        "wanted",
        "channel_quantity",
        "version",
        "sent_version",
        "confirmed_version",
        "last_error",
    )
    list_filter = ("channel",)
    list_select_related = ("listing", "listing__channel")
    search_fields = ("listing__external_sku",)
    ordering = ("listing_id",)
