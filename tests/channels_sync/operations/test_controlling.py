import pytest
from cryptography.fernet import Fernet

from channels_sync.credentials import Secrets, account_of, decrypt
from channels_sync.errors import ChannelAuthFailed
from channels_sync.models import ChannelMode, ListingPush, PublicationState
from channels_sync.operations.absorbing import absorb_changes
from channels_sync.operations.controlling import (
    pause_channel,
    resume_channel,
    retry_listing,
    rotate_credentials,
    set_channel_mode,
    set_credentials,
    set_location,
)
from channels_sync.operations.publishing import publish_due
from inventory.errors import WrongState
from tests.channels_sync.factories import line_of, make_channel, make_listing, push_of
from tests.factories import make_location, make_user, put_on_hand

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _always_true(publishing_stays_true):
    pass


def make_due(shop, **channel):
    listing = make_listing(channel=make_channel(**channel), shop=shop)
    put_on_hand(listing.item, make_location(), "10")
    absorb_changes()
    return listing


def test_nothing_is_sent_while_paused_and_the_newest_figure_after(shop):
    listing = make_due(shop)
    pause_channel(channel=listing.channel, actor=None)
    put_on_hand(listing.item, make_location(), "1")
    absorb_changes()
    paused = publish_due(channel_id=listing.channel_id)

    resume_channel(channel=listing.channel, actor=None)
    publish_due(channel_id=listing.channel_id)

    assert paused.claimed == 0
    assert [quantity for _, _, quantity in shop.applied] == [11]


def test_history_names_who_paused():
    channel, person = make_channel(), make_user()

    pause_channel(channel=channel, actor=person)

    newest = channel.history.first()
    assert (newest.is_paused, newest.history_user) == (True, person)


def test_a_shadow_channel_sends_nothing_until_it_is_automatic(shop):
    listing = make_due(shop, mode=ChannelMode.SHADOW)
    in_shadow = publish_due(channel_id=listing.channel_id)

    set_channel_mode(channel=listing.channel, mode=ChannelMode.AUTO, actor=None)
    state = line_of(listing).state
    publish_due(channel_id=listing.channel_id)

    assert (in_shadow.claimed, state) == (0, PublicationState.QUEUED)
    assert shop.shows(listing) == 10


def test_into_shadow_what_waits_is_no_longer_queued(shop):
    listing = make_due(shop)

    set_channel_mode(channel=listing.channel, mode=ChannelMode.SHADOW, actor=None)

    assert line_of(listing).state == PublicationState.SHADOW
    assert publish_due(channel_id=listing.channel_id).claimed == 0


def test_out_of_off_every_listing_is_worked_out(shop):
    listing = make_due(shop, mode=ChannelMode.OFF)

    set_channel_mode(channel=listing.channel, mode=ChannelMode.SHADOW, actor=None)
    absorb_changes()

    assert push_of(listing).wanted == 10


def test_automatic_needs_credentials():
    channel = make_channel(mode=ChannelMode.SHADOW, credentials="")

    with pytest.raises(WrongState, match="no credentials"):
        set_channel_mode(channel=channel, mode=ChannelMode.AUTO, actor=None)

    channel.refresh_from_db()
    assert channel.mode == ChannelMode.SHADOW


def test_secrets_are_stored_unreadably_and_never_shown():
    channel = make_channel(credentials="")
    secrets = Secrets(client_id="my-app", client_secret="hush", webhook_secrets=("w1", "w2"))

    stored = set_credentials(channel=channel, secrets=secrets, actor=None)

    assert "hush" not in stored.credentials
    assert "hush" not in repr(secrets) + repr(account_of(stored))
    assert decrypt(stored.credentials) == secrets
    assert account_of(stored).client_secret == "hush"
    assert account_of(stored).api_version
    assert not hasattr(stored.history.first(), "credentials")


def test_incomplete_credentials_are_refused():
    channel = make_channel(credentials="")

    with pytest.raises(WrongState):
        set_credentials(channel=channel, secrets=Secrets(client_id="only the id"), actor=None)

    channel.refresh_from_db()
    assert channel.credentials == ""


def test_new_credentials_try_what_waits_at_once(shop):
    listing = make_due(shop)
    shop.faults.append("throttled")
    publish_due(channel_id=listing.channel_id)

    set_credentials(channel=listing.channel, secrets=Secrets(access_token="new"), actor=None)

    assert publish_due(channel_id=listing.channel_id).accepted == 1


def test_a_key_can_be_replaced(settings):
    channel = make_channel()
    old, new = settings.FIELD_ENCRYPTION_KEYS, Fernet.generate_key().decode()
    settings.FIELD_ENCRYPTION_KEYS = [new, *old]

    count = rotate_credentials()

    settings.FIELD_ENCRYPTION_KEYS = [new]
    channel.refresh_from_db()
    assert count == 1
    assert account_of(channel).access_token == "token"


def test_credentials_of_a_lost_key_are_said_to_be_so(settings):
    channel = make_channel()
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]

    with pytest.raises(ChannelAuthFailed, match="FIELD_ENCRYPTION_KEYS"):
        account_of(channel)


def test_a_person_can_have_a_listing_tried_again(shop):
    listing = make_due(shop)
    shop.faults.append("refuse")
    publish_due(channel_id=listing.channel_id)
    waiting = publish_due(channel_id=listing.channel_id).claimed

    retry_listing(listing=listing)

    assert (waiting, publish_due(channel_id=listing.channel_id).accepted) == (0, 1)
    assert ListingPush.objects.get().last_error == ""


def test_another_location_is_sent_everything_again_after_reading_it(shop):
    listing = make_due(shop)
    publish_due(channel_id=listing.channel_id)
    shop.figures[f"item-{listing.external_sku}"] = 2  # what the other location shows

    set_location(channel=listing.channel, external_location_id="place-2", actor=None)
    publish_due(channel_id=listing.channel_id)

    (push,) = shop.calls[-1]
    assert (push.external_location_id, push.expected_quantity, push.quantity) == ("place-2", 2, 10)
    assert (line_of(listing).before, line_of(listing).after) == (10, 10)
