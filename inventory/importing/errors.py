"""Refusals of whole files, and of single cells."""

from inventory.errors import DomainError


class UnreadableTable(DomainError):
    """A file that is no table, or whose columns are not understood."""

    code = "UNREADABLE_TABLE"
    http_status = 400


class TableTooLarge(DomainError):
    """A file above the limits of one import."""

    code = "TABLE_TOO_LARGE"
    http_status = 413


class CellError(ValueError):
    """What a cell holds cannot be used; the words say what is needed instead."""
