"""How much of what is there a listing shows, and why: pure, without a database. See formula.py and sharing.py."""

from channels_sync.allocation.derivation import Derivation, DerivationTexts, exposed, published_quantity, recompute
from channels_sync.allocation.facts import (
    Allotment,
    Component,
    Confidence,
    Demand,
    Incoming,
    Makeable,
    Offer,
    Snapshot,
    SourceStock,
    SupplierFigure,
)
from channels_sync.allocation.formula import Steps
from channels_sync.allocation.sharing import Claim, share_out
from channels_sync.allocation.terms import NAMES, Breadth, PolicyTerms, Rule, Term, Terms, resolve

__all__ = [
    "NAMES",
    "Allotment",
    "Breadth",
    "Claim",
    "Component",
    "Confidence",
    "Demand",
    "Derivation",
    "DerivationTexts",
    "Incoming",
    "Makeable",
    "Offer",
    "PolicyTerms",
    "Rule",
    "Snapshot",
    "SourceStock",
    "Steps",
    "SupplierFigure",
    "Term",
    "Terms",
    "exposed",
    "published_quantity",
    "recompute",
    "resolve",
    "share_out",
]
