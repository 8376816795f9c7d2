"""Refusals of the stock ledger: what a person asked for cannot be done, and nothing was written."""

from typing import ClassVar


class DomainError(Exception):
    """A request that is understood and refused. `message` is for people, `code` and `context` are for programs.

    The message says what is, with figures and units, what was needed, and what to do next. Values in `context` are plain
    (strings, numbers, lists and dicts of them) or Decimal, which travels as a string.
    """

    code: ClassVar[str] = "REFUSED"
    http_status: ClassVar[int] = 409

    def __init__(self, message: str, **context: object) -> None:
        super().__init__(message)
        self.message = message
        self.context = context

    def reword(self, message: str) -> None:
        """Say it in other words, for whoever asked for something larger that this is a part of."""
        self.message = message
        self.args = (message,)


class InvalidQuantity(DomainError):
    """A quantity that is not positive, not finite or too large."""

    code = "INVALID_QUANTITY"
    http_status = 400


class InvalidQuantityStep(DomainError):
    """A quantity that is not a multiple of the item's smallest quantity."""

    code = "INVALID_QUANTITY_STEP"
    http_status = 400


class InvalidUnit(DomainError):
    """A unit the item does not know, or of another dimension than the item's stock unit."""

    code = "INVALID_UNIT"
    http_status = 400


class InsufficientStock(DomainError):
    """Less is free than is needed. `context["short"]` lists every short item, not only the first."""

    code = "INSUFFICIENT_STOCK"


class ReservedByOther(DomainError):
    """There is enough on hand, but what is missing is promised to somebody else."""

    code = "RESERVED_BY_OTHER"


class OverReservation(DomainError):
    """More would be promised than is on hand."""

    code = "OVER_RESERVATION"


class LotRequired(DomainError):
    """A tracked item moved without naming its lot."""

    code = "LOT_REQUIRED"
    http_status = 400


class LotExpired(DomainError):
    """An expired lot was named for a use that needs good stock."""

    code = "LOT_EXPIRED"


class DuplicateSerial(DomainError):
    """A serial number that is already on hand, or a quantity other than one of a serial."""

    code = "DUPLICATE_SERIAL"


class PhantomNotStocked(DomainError):
    """A phantom item (or a service) cannot hold stock."""

    code = "PHANTOM_NOT_STOCKED"
    http_status = 400


class NegativeNotAllowed(DomainError):
    """Stock below zero without the item's consent, the privilege or a reason."""

    code = "NEGATIVE_NOT_ALLOWED"
    http_status = 403


class PickReasonRequired(DomainError):
    """Lots were picked by hand out of the picking order, and no reason was given."""

    code = "PICK_REASON_REQUIRED"
    http_status = 400


class PeriodLocked(DomainError):
    """A date in a closed period."""

    code = "PERIOD_LOCKED"


class ReversalBlocked(DomainError):
    """What a reversal must take back is no longer there. `context["blocked_by"]` lists what stands in the way."""

    code = "REVERSAL_BLOCKED"


class AlreadyReversed(DomainError):
    """The posting was reversed before."""

    code = "ALREADY_REVERSED"


class NotReversible(DomainError):
    """A posting of a kind that is undone in another way."""

    code = "NOT_REVERSIBLE"


class BackdatingNotAllowed(DomainError):
    """A date other than today without the privilege, or a date in the future."""

    code = "BACKDATING_NOT_ALLOWED"
    http_status = 403


class NegativeInFuture(DomainError):
    """A backdated posting would have made a later balance negative."""

    code = "NEGATIVE_IN_FUTURE"


class NoStockToRevalue(DomainError):
    """A cost correction of an item that has nothing on hand."""

    code = "NO_STOCK_TO_REVALUE"


class IdempotencyMismatch(DomainError):
    """A key that was used before for another request."""

    code = "IDEMPOTENCY_MISMATCH"


class WrongState(DomainError):
    """The object is in a state that does not allow this verb."""

    code = "WRONG_STATE"


class LocationBlocked(DomainError):
    """A location that takes no stock movements now."""

    code = "LOCATION_BLOCKED"


class InUse(DomainError):
    """The object has history and can no longer be changed in this way."""

    code = "HAS_POSTINGS"


class LotMismatch(DomainError):
    """A lot that exists with another expiry than the one given, or that belongs to another item."""

    code = "LOT_MISMATCH"


class ItemInactive(DomainError):
    """An item that was set inactive takes part in nothing new."""

    code = "ITEM_INACTIVE"


class SecondPersonRequired(DomainError):
    """Somebody else than the person who counted has to do this."""

    code = "SECOND_PERSON_REQUIRED"


class CountIncomplete(DomainError):
    """Cells of a count sheet are still to be counted, for the first or for the second time."""

    code = "COUNT_INCOMPLETE"


class CountOutdated(DomainError):
    """What happened since a cell was counted does not go together with the count; it has to be counted again."""

    code = "COUNT_OUTDATED"


class OverReturn(DomainError):
    """More would come back, or go back, than the shipment or receipt has left to return."""

    code = "OVER_RETURN"


class OverReceipt(DomainError):
    """More would be received of an order than was ordered, without the privilege or a reason."""

    code = "OVER_RECEIPT"


class NothingToSpreadOver(DomainError):
    """A late cost that cannot be shared over its receipts in the chosen way."""

    code = "NOTHING_TO_SPREAD_OVER"
