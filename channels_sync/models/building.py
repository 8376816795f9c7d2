"""What was last counted of components, so that news of one of them need not be looked at in everything it is built into."""

from django.db import models

from inventory.models import Item


class BuildFigure(models.Model):
    """What the figures of one item rest on as far as building is concerned; see operations/building.py.

    A note for finding work quickly, never the source of a figure: a figure is worked out from stock and BOM themselves.
    """

    item = models.OneToOneField(Item, on_delete=models.CASCADE, primary_key=True, related_name="+")
    free = models.DecimalField(
        max_digits=30, decimal_places=6, null=True, help_text="Free at every site, in stock units, when last looked at."
    )
    makeable = models.DecimalField(
        max_digits=30, decimal_places=6, null=True, help_text="How many could be made of that; null: not known."
    )
    bom_id = models.BigIntegerField(
        null=True, help_text="The version that was counted by; null where none is in force."
    )
    is_odd = models.BooleanField(
        default=False, help_text="Its BOM has phantoms, set-ups, multiples or a component twice."
    )
    is_inside = models.BooleanField(
        default=False, help_text="Its parts are taken in its place by something that is made."
    )

    def __str__(self) -> str:
        return f"{self.item}: {self.free} free"
