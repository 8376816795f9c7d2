"""Refusals of production: a bill of materials or a completion that cannot stand, and nothing was written."""

from inventory.errors import DomainError


class InvalidBom(DomainError):
    """A bill of materials that cannot be used as written. `context["lines"]` maps line positions to what is wrong there."""

    code = "INVALID_BOM"
    http_status = 400


class BomCycle(DomainError):
    """An item that would be needed to make itself. `context["path"]` lists the SKUs of the loop, first one repeated last."""

    code = "BOM_CYCLE"
    http_status = 400


class BomChangedMeanwhile(DomainError):
    """A draft was saved by somebody else since it was read, or another version was activated since it was drafted.

    `context["revision"]` is what the draft is at now; `context["over"]` is the id of the version that came meanwhile.
    """

    code = "BOM_CHANGED_MEANWHILE"


class AttachmentRefused(DomainError):
    """A file that is too large, or of a kind that is not kept."""

    code = "ATTACHMENT_REFUSED"
    http_status = 400


class OverCompletion(DomainError):
    """More would be completed than the work order and its tolerance allow."""

    code = "OVER_COMPLETION"


class BatchRefused(DomainError):
    """Completions that were to be posted together, and one of them is refused; or each by itself, and all of them are.

    `context["rows"]` lists those that are refused: `index` (from 0), `code`, `detail` and `context` of each.
    """

    code = "BATCH_REFUSED"


class ConsumptionVariance(DomainError):
    """Actual quantities differ from the standard by more than the deviation policy allows without a reason or a permission."""

    code = "CONSUMPTION_VARIANCE"


class InvalidSubstitute(DomainError):
    """An item that is not an approved substitute of the line it was named for."""

    code = "INVALID_SUBSTITUTE"
    http_status = 400


class UnusualQuantity(DomainError):
    """A quantity far above what is usual, that nobody has confirmed."""

    code = "UNUSUAL_QUANTITY"


class OverDisassembly(DomainError):
    """More would be taken apart than is left of a completion."""

    code = "OVER_DISASSEMBLY"


class OrderClosed(DomainError):
    """The work order is closed and takes no more completions."""

    code = "ORDER_CLOSED"


class InspectionIncomplete(DomainError):
    """Goods would be released before everything was checked that the plan requires. `context["missing"]` names the checks."""

    code = "INSPECTION_INCOMPLETE"


class OverInspection(DomainError):
    """More would be decided than is held of what is inspected."""

    code = "OVER_INSPECTION"


class InvalidPlan(DomainError):
    """An inspection plan that cannot be used as written. `context["checks"]` maps check positions to what is wrong there."""

    code = "INVALID_PLAN"
    http_status = 400


class FileRefused(DomainError):
    """A file that is too large or of a kind that is not kept."""

    code = "FILE_REFUSED"
    http_status = 400
