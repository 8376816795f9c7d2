"""Rows of the outbox and lines of history are written several times: room in their pages saves touching every index."""

from django.db import migrations

ROOM = (
    ("channels_sync_listingpush", "fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05"),
    ("channels_sync_publicationline", "fillfactor = 80"),
)


class Migration(migrations.Migration):
    dependencies = [("channels_sync", "0011_sending_in_order")]

    operations = [
        migrations.RunSQL(
            f"ALTER TABLE {table} SET ({settings})",
            f"ALTER TABLE {table} RESET ({', '.join(part.split('=')[0].strip() for part in settings.split(','))})",
        )
        for table, settings in ROOM
    ]
