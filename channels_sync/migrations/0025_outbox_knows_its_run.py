import django.db.models.deletion
from django.db import migrations, models

_OF_NEWEST_LINE = """
UPDATE channels_sync_listingpush p SET run_id = l.run_id FROM channels_sync_publicationline l
WHERE l.listing_id = p.listing_id AND l.version = p.version
"""


class Migration(migrations.Migration):
    """Who claims a row need not look for the run of its version."""

    dependencies = [("channels_sync", "0024_lines_checked_at_night")]

    operations = [
        migrations.AddField(
            model_name="listingpush",
            name="run",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                help_text="That made the present version; the same as its newest line says.",
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="channels_sync.publishrun",
            ),
        ),
        migrations.RunSQL(_OF_NEWEST_LINE, migrations.RunSQL.noop),
    ]
