import django.contrib.postgres.indexes
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("channels_sync", "0019_schedule_of_reading_back"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="publicationline",
            index=django.contrib.postgres.indexes.BrinIndex(
                fields=["recorded_at"], name="channels_sync_line_recorded", pages_per_range=32
            ),
        ),
    ]
