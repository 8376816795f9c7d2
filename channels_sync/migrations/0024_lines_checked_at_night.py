import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Rows of the history are written by the hundred: whether run and listing exist is checked at night, not for each row."""

    dependencies = [("channels_sync", "0023_shown_before_and_on_the_road")]

    operations = [
        migrations.AlterField(
            model_name="publicationline",
            name="listing",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="publications",
                to="channels_sync.listing",
            ),
        ),
        migrations.AlterField(
            model_name="publicationline",
            name="run",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="lines",
                to="channels_sync.publishrun",
            ),
        ),
    ]
