from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0012_lapsed_promises_and_old_answers"),
    ]

    operations = [
        migrations.AddField(
            model_name="stockchange",
            name="actor_id",
            field=models.BigIntegerField(help_text="Who caused it, where no posting says so.", null=True),
        ),
    ]
