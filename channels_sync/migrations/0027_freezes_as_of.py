from django.db import migrations, models


class Migration(migrations.Migration):
    """A freeze can keep what each listing showed at a moment."""

    dependencies = [("channels_sync", "0026_large_changes")]

    operations = [
        migrations.AddField(
            model_name="freeze",
            name="as_of",
            field=models.DateTimeField(
                blank=True,
                help_text="Each listing shows no more than the figure it had last been given then.",
                null=True,
            ),
        ),
        migrations.AddConstraint(
            model_name="freeze",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("as_of__isnull", True),
                    models.Q(("is_exact", False), ("quantity__isnull", True)),
                    _connector="OR",
                ),
                name="channels_sync_freeze_at_one_thing",
            ),
        ),
    ]
