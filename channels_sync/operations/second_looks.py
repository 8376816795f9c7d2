"""Large decisions are typed: the person writes down the number of listings they are about."""

from inventory.errors import DomainError

TYPED_FROM = 50
"""A decision about so many listings or more is typed."""


class TypedConfirmationRequired(DomainError):
    """A large decision came without the number of listings it is about."""

    code = "TYPED_CONFIRMATION_REQUIRED"


def check_typed(count: int, typed: str) -> None:
    """Raises TypedConfirmationRequired for TYPED_FROM listings or more whose number was not typed."""
    if count >= TYPED_FROM and typed.strip() != str(count):
        raise TypedConfirmationRequired(
            f"This is about {count} listings. Type {count} to confirm that you mean all of them.", listings=count
        )
