"""What people decided about quantities that completions propose for a BOM."""

from decimal import Decimal

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from inventory.models import Item
from production.models.boms import Bom


class ProposalDecision(models.TextChoices):
    ACCEPTED = "accepted", "Drafted"
    DISMISSED = "dismissed", "Dismissed"


class BomProposal(models.Model):
    """One decision about a proposed quantity of one component of one version: drafted, or dismissed for a reason.

    A dismissed quantity is not proposed again for that version unless the measurements move on.
    """

    bom = models.ForeignKey(Bom, on_delete=models.CASCADE, related_name="proposals")
    component = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    standard = models.DecimalField(max_digits=18, decimal_places=6, help_text="Quantity of the line, as typed.")
    proposed = models.DecimalField(
        max_digits=18, decimal_places=6, validators=[MinValueValidator(Decimal("0.000001"))], help_text="In its unit."
    )
    measured = models.PositiveIntegerField(help_text="Completions that were measured when it was decided.")
    decision = models.CharField(max_length=10, choices=ProposalDecision)
    reason = models.CharField(max_length=300, blank=True)
    draft = models.ForeignKey(
        Bom,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text="The version it was drafted in.",
    )
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    decided_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(condition=Q(proposed__gt=0), name="production_bomproposal_proposes_something"),
            models.CheckConstraint(
                condition=~Q(decision=ProposalDecision.DISMISSED) | ~Q(reason=""),
                name="production_bomproposal_dismissed_for_a_reason",
            ),
        )
        indexes = (models.Index(fields=("bom", "component", "-id"), name="production_proposal_newest"),)

    def __str__(self) -> str:
        return f"{self.component} {self.proposed.normalize():f} in {self.bom}"
