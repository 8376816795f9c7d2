"""Fields of request bodies that take exactly what the OpenAPI document says, and fields of answers with exact decimals.

REST framework's own fields are lenient: they read numbers as text, "yes" as true and 20250101 as a day. Here a value of
another type is refused and told what was wanted, so that a client's mistake shows at once and no float ever gets in.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, ClassVar

from django.core.validators import ProhibitNullCharactersValidator
from django.utils.dateparse import parse_date, parse_datetime
from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.validators import ProhibitSurrogateCharactersValidator

from inventory.quantities import as_text
from inventory.typed_days import YEAR_MAX, YEAR_MIN

ID_MAX = 10**18 - 1
"""Largest id that is looked for; above it there is nothing, and the database need not be asked."""
INTEGER_MAX = 2**31 - 1
LINES_MAX = 1_000
"""Lines of one body."""

Schema = Mapping[str, Any]


class Described(serializers.Field[Any, Any, Any, Any]):
    """A field that says itself what it looks like in the OpenAPI document."""

    described: Schema = {}


class DescribedExtension(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Lets the OpenAPI document take `described` of every such field."""

    target_class = Described
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:  # noqa: ARG002
        return dict(self.target.described)


# --- Into the system --------------------------------------------------------------------------------------------------


class DecimalIn(Described):
    """An exact decimal as a string of plain digits: `12.5`. No exponent, no grouping, at most six decimal places."""

    default_error_messages = {
        "type": 'Write the number as a string, such as "12.5"; a JSON number may lose digits.',
        "form": "“{given}” is not a number this field takes. Give {wanted}.",
    }

    def __init__(self, *, digits: int = 12, places: int = 6, signed: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        sign = "-?" if signed else ""
        fraction = rf"(\.[0-9]{{1,{places}}})?" if places else ""
        pattern = f"{sign}[0-9]{{1,{digits}}}{fraction}"
        self._form = re.compile(pattern)
        self._wanted = (
            f"up to {digits} digits{f' and up to {places} decimal places' if places else ''}"
            f"{', with a minus in front when it is less' if signed else ''}, such as 12.5"
        )
        self.described = {"type": "string", "format": "decimal", "pattern": f"^{pattern}$"}

    def to_internal_value(self, data: Any) -> Decimal:
        if not isinstance(data, str):
            self.fail("type")
        if not self._form.fullmatch(data):
            self.fail("form", given=data[:40], wanted=self._wanted)
        return Decimal(data)

    def get_default(self) -> Any:
        """The default is written as it would be sent, so that the document shows it so."""
        default = super().get_default()
        return self.to_internal_value(default) if isinstance(default, str) else default

    def to_representation(self, value: Any) -> str:
        return as_text(value)


class Quantity(DecimalIn):
    """Zero or more; the operation says whether zero will do."""


class Money(DecimalIn):
    """Base currency, zero or more."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(digits=14, **kwargs)


class Reference(Described):
    """An object by its own code (a string), or by its id (an integer)."""

    default_error_messages = {
        "type": "Give the {what} as a string, or its id as an integer.",
        "blank": "Give the {what}; it may not be empty.",
        "long": "No {what} is longer than {length_max} characters.",
        "range": "An id is an integer from 1 to {id_max}.",
    }

    def __init__(self, *, what: str, length_max: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.what, self.length_max = what, length_max
        self.described = {
            "oneOf": [
                {"type": "string", "minLength": 1, "maxLength": length_max, "title": what},
                {"type": "integer", "minimum": 1, "maximum": ID_MAX, "title": "id"},
            ]
        }

    def to_internal_value(self, data: Any) -> str | int:
        if isinstance(data, int) and not isinstance(data, bool):
            if not 1 <= data <= ID_MAX:
                self.fail("range", id_max=ID_MAX)
            return data
        if not isinstance(data, str):
            self.fail("type", what=self.what)
        if not data.strip():
            self.fail("blank", what=self.what)
        if len(data) > self.length_max:
            self.fail("long", what=self.what, length_max=self.length_max)
        for check in (ProhibitNullCharactersValidator(), ProhibitSurrogateCharactersValidator()):
            check(data)
        return data.strip()

    def to_representation(self, value: Any) -> Any:
        return value


def item_reference(**kwargs: Any) -> Reference:
    return Reference(what="SKU", length_max=100, **kwargs)


def location_reference(**kwargs: Any) -> Reference:
    return Reference(what="location code", length_max=64, **kwargs)


def lot_reference(**kwargs: Any) -> Reference:
    return Reference(what="lot code", length_max=64, **kwargs)


class Text(serializers.CharField):
    """A string; numbers are not turned into one."""

    def __init__(self, *, length_max: int, **kwargs: Any) -> None:
        super().__init__(max_length=length_max, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


def optional_text(length_max: int, **kwargs: Any) -> Text:
    """A string that may be left out or empty."""
    return Text(length_max=length_max, required=False, allow_blank=True, default="", **kwargs)


class Flag(serializers.BooleanField):
    """true or false, and nothing that only looks like it."""

    default_error_messages = {"invalid": "Give true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return data


class Whole(serializers.IntegerField):
    """An integer; not a string of digits and not 3.0."""

    def __init__(self, *, minimum: int = 0, maximum: int = INTEGER_MAX, **kwargs: Any) -> None:
        super().__init__(min_value=minimum, max_value=maximum, **kwargs)

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return data


class Choice(serializers.ChoiceField):
    """One word of a list."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str) or not data:
            self.fail("invalid_choice", input=str(data)[:40])
        return str(super().to_internal_value(data))


class Day(Described):
    """A calendar day as `2025-12-31`."""

    default_error_messages = {"invalid": "Give a day as 2025-12-31, from the year {first} to {last}."}
    described: Schema = {"type": "string", "format": "date"}

    def to_internal_value(self, data: Any) -> date:
        day = None
        if isinstance(data, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", data):
            try:
                day = parse_date(data)
            except ValueError:
                day = None
        if day is None or not YEAR_MIN <= day.year <= YEAR_MAX:
            self.fail("invalid", first=YEAR_MIN, last=YEAR_MAX)
        return day

    def to_representation(self, value: Any) -> str:
        return str(value.isoformat())


_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


class Moment(Described):
    """A point in time with its offset: `2025-12-31T08:30:00+01:00`."""

    default_error_messages = {
        "invalid": "Give a time with its offset as 2025-12-31T08:30:00+01:00, from the year {first} to {last}."
    }
    described: Schema = {"type": "string", "format": "date-time"}

    def to_internal_value(self, data: Any) -> datetime:
        moment = None
        if isinstance(data, str) and _MOMENT.fullmatch(data):
            try:
                moment = parse_datetime(data.upper())
            except ValueError:
                moment = None
        if moment is None or moment.tzinfo is None or not YEAR_MIN <= moment.year <= YEAR_MAX:
            self.fail("invalid", first=YEAR_MIN, last=YEAR_MAX)
        return moment

    def to_representation(self, value: Any) -> str:
        return str(value.isoformat())


class Body(serializers.Serializer[Any]):
    """The shape of a request body. A name it does not know is refused: a mistyped optional field must not go unnoticed."""

    is_strict: ClassVar[bool] = True

    def to_internal_value(self, data: Any) -> Any:
        errors: dict[str, Any] = {}
        if isinstance(data, Mapping):
            known = [name for name, field in self.fields.items() if not field.read_only]
            for name in data:
                if name not in known:
                    errors[str(name)[:100]] = [
                        ErrorDetail(f"Unknown field. Known ones: {', '.join(known) or 'none'}.", code="unknown")
                    ]
        try:
            values = super().to_internal_value(data)
        except ValidationError as error:
            if isinstance(error.detail, dict):
                raise ValidationError({**error.detail, **errors}) from None
            raise
        if errors:
            raise ValidationError(errors)
        return values


def lines_of(shape: Any, *, length_max: int = LINES_MAX, **kwargs: Any) -> Any:
    """A list of bodies of one shape, at most `length_max`."""
    return shape(many=True, max_length=length_max, **kwargs)


class Nothing(Body):
    """No fields; the body may be left out."""


# --- Out of the system ------------------------------------------------------------------------------------------------


class DecimalOut(Described):
    """An exact decimal as a string without trailing zeros. Unknown values are null."""

    described: Schema = {"type": "string", "format": "decimal", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, **kwargs)

    def to_representation(self, value: Any) -> str:
        return as_text(value)


def moment_text(value: datetime) -> str:
    """A time as it stands in answers: UTC, ISO 8601."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


class Anything(Described):
    """A JSON object of no fixed shape."""

    described: Schema = {"type": "object", "additionalProperties": {}}

    def to_representation(self, value: Any) -> Any:
        return value


class TextOut(serializers.CharField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, **kwargs)


class IdOut(serializers.IntegerField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, **kwargs)


class FlagOut(serializers.BooleanField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, **kwargs)


class ChoiceOut(serializers.ChoiceField):
    def __init__(self, choices: Any, **kwargs: Any) -> None:
        super().__init__(choices, read_only=True, **kwargs)


class DayOut(Described):
    described: Schema = {"type": "string", "format": "date"}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, **kwargs)

    def to_representation(self, value: Any) -> str:
        return str(value.isoformat())


class MomentOut(Described):
    """A time in UTC."""

    described: Schema = {"type": "string", "format": "date-time"}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, **kwargs)

    def to_representation(self, value: datetime) -> str:
        return moment_text(value)


class WordsOut(Described):
    """A list of strings."""

    described: Schema = {"type": "array", "items": {"type": "string"}}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, **kwargs)

    def to_representation(self, value: Any) -> list[str]:
        return [str(word) for word in value]


class IdsOut(Described):
    """The ids of a list of objects."""

    described: Schema = {"type": "array", "items": {"type": "integer"}}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, **kwargs)

    def to_representation(self, value: Any) -> list[int]:
        return [one.pk for one in value]
