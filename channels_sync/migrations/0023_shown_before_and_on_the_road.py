from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("channels_sync", "0022_wide_work_in_pieces")]

    operations = [
        migrations.AlterField(
            model_name="publicationline",
            name="before",
            field=models.PositiveIntegerField(
                help_text="Published before; the first time what the channel showed, null where that is not known.",
                null=True,
            ),
        ),
        *(
            migrations.AlterField(
                model_name=model,
                name="incoming_days",
                field=models.PositiveIntegerField(
                    blank=True, help_text="Ordered or on the road, due within so many days; 0 is today.", null=True
                ),
            )
            for model in ("allocationpolicy", "historicalallocationpolicy")
        ),
    ]
