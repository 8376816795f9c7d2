"""Whether a figure is on its way is told by the lease of its outbox row, no longer by its line, which waits until answered."""

from django.db import migrations


def to_queued(apps, schema_editor):
    apps.get_model("channels_sync", "PublicationLine").objects.filter(state="sent").update(state="queued")
    schema_editor.execute(
        "UPDATE channels_sync_publicationline l SET state = 'superseded' FROM channels_sync_listingpush p"
        " WHERE p.listing_id = l.listing_id AND l.version < p.version AND l.state = 'queued'"
    )


def stay(apps, schema_editor):
    """Queued lines are sent by every version of the program."""


class Migration(migrations.Migration):
    dependencies = [("channels_sync", "0012_room_for_updates")]

    operations = [migrations.RunPython(to_queued, stay)]
