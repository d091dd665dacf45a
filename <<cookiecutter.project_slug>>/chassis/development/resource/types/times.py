"""Dates and times."""

import re
from datetime import UTC, date, datetime

from chassis.development.resource.types.base import (
    Default,
    FieldTypeError,
    Type,
    merged,
    of_models,
    quoted,
    refuse_arguments,
)


def date_type(arguments: list[str]) -> Type:
    """Make `date`."""
    refuse_arguments(arguments)

    def default(written: str) -> Default:
        try:
            day = date.fromisoformat(written if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", written) else "")
        except ValueError:
            raise FieldTypeError("should have a default such as 2026-12-31") from None
        if day in {date.min, date.max}:
            raise FieldTypeError("should have a default after 0001-01-01 and before 9999-12-31")
        return Default(f"date({day.year}, {day.month}, {day.day})", quoted(written), f'"{written}"')

    return Type(
        annotation="Date",
        stored="date",
        imports=merged({"datetime": frozenset({"date"})}, of_models("Date")),
        column="date",
        one='"2026-12-31"',
        other='"2027-01-01"',
        wrong=(('"31.12.2026"', ""), ('"2026-02-30"', ""), ('"9999-12-31"', ""), ("1", "")),
        extreme=('"0001-01-02"', '"9999-12-30"'),
        default=default,
        unique='f"{2000 + number}-12-31"',
        ordered=True,
    )


def datetime_type(arguments: list[str]) -> Type:
    """Make `datetime`."""
    refuse_arguments(arguments)

    def default(written: str) -> Default:
        try:
            time = datetime.fromisoformat(written)
        except ValueError:
            time = datetime.min
        if time.tzinfo is None or not 1 < time.year < 9999:
            raise FieldTypeError("should have a default such as 2026-12-31T23:59:59Z")
        time = time.astimezone(UTC)
        text = time.isoformat().replace("+00:00", "Z")
        parts = [time.year, time.month, time.day, time.hour, time.minute, time.second, time.microsecond]
        python = f"datetime({', '.join(map(str, parts if time.microsecond else parts[:-1]))}, tzinfo=UTC)"
        return Default(python, quoted(text), f'"{text}"', {"datetime": frozenset({"UTC"})})

    return Type(
        annotation="Timestamp",
        stored="datetime",
        imports=of_models("Timestamp"),
        column="timestamptz",
        one='"2026-12-31T23:59:59.000001Z"',
        other='"2026-12-31T23:59:59.000002Z"',
        wrong=(('"2026-12-31"', ""), ('"2026-12-31T23:59:59"', ""), ('"0001-01-01T00:00:00Z"', ""), ("1", "")),
        extreme=('"0001-01-02T00:00:00Z"', '"9999-12-30T23:59:59.999999Z"'),
        default=default,
        unique='f"{2000 + number}-12-31T23:59:59Z"',
        ordered=True,
    )
