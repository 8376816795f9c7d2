"""Each counted line keeps the class its item had, so that accuracy by class does not change afterwards."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("inventory", "0005_count_classes")]

    operations = [
        migrations.AddField(
            model_name="countline",
            name="group",
            field=models.CharField(
                blank=True,
                choices=[("A", "A · counted most often"), ("B", "B"), ("C", "C · counted least often")],
                db_default="",
                default="",
                help_text="Class of the item when the line was made.",
                max_length=1,
            ),
        ),
    ]
