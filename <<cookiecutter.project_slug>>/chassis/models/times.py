"""Dates and times that clients send."""

import re
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import BeforeValidator
from pydantic_core import CoreSchema, core_schema

from chassis.models.schema import replaced

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(
    rf"{_DATE.pattern}T([01][0-9]|2[0-3]):[0-9]{{2}}:(?P<second>[0-9]{{2}})(\.[0-9]+)?(Z|[+-][0-9]{{2}}:[0-9]{{2}})"
)
_PLUS_OF_A_URL = re.compile(r":[0-9.]+ [0-9]{2}:[0-9]{2}\Z")
# asyncpg writes the first and the last value of Python's types as PostgreSQL's -infinity and infinity.
_INFINITE_DATES = (date.min, date.max)
_INFINITE_TIMES = (datetime.min, datetime.max)
_INFINITE_TIMES_IN_UTC = tuple(each.replace(tzinfo=UTC) for each in _INFINITE_TIMES)


def _date(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        parsed = date.fromisoformat(value if _DATE.fullmatch(value) else "")
    except ValueError:
        raise ValueError("Should be a date such as 2026-12-31") from None
    if parsed in _INFINITE_DATES:
        raise ValueError(
            "Should be from 0001-01-02 to 9999-12-30; for a date that is not known, leave it out or send null"
        )
    return parsed


def _timestamp(value: object) -> object:
    if not isinstance(value, str):
        return value
    parts = _TIME.fullmatch(value)
    if parts and parts["second"] == "60":
        raise ValueError("Should have a second from 00 to 59, because leap seconds cannot be stored")
    try:
        parsed = datetime.fromisoformat(value if parts else "").astimezone(UTC)
    except (ValueError, OverflowError):
        rule = "Should be a time with its offset from UTC, such as 2026-12-31T23:59:59Z"
        if _PLUS_OF_A_URL.search(value):
            rule += "; in a query string, a plus sign is written %2B"
        raise ValueError(rule) from None
    if parsed in _INFINITE_TIMES_IN_UTC:
        raise ValueError(
            "Should be after 0001-01-01T00:00:00Z and before 9999-12-31T23:59:59.999999Z; "
            "for a time that is not known, leave it out or send null"
        )
    return parsed


Date = Annotated[date, BeforeValidator(_date)]
"""A date in the format of RFC 3339, from 0001-01-02 to 9999-12-30.

pydantic by itself also accepts a string of digits, as seconds since 1970.
"""

Timestamp = Annotated[datetime, BeforeValidator(_timestamp)]
"""A time in the format of RFC 3339, converted to UTC. Digits after the microsecond are cut off.

The first and the last microsecond of the years 1 to 9999 are refused, as asyncpg stores them as infinity.
"""


def with_infinity(schema: CoreSchema) -> CoreSchema:
    """Return the schema of a row whose times have an offset for PostgreSQL's infinity, too.

    For -infinity and infinity, asyncpg returns the first and the last `datetime`, without an offset. They get the one
    of UTC. All other times stay as they are: those of a `timestamptz` column have an offset, and those of a `timestamp`
    column have none.
    """
    return replaced(schema, "datetime", _with_infinity)  # type: ignore[no-any-return]


def _with_infinity(schema: core_schema.DatetimeSchema) -> CoreSchema:
    # Rows of the database are values of Python. The JSON schema and the serializer stay the same.
    of_row = core_schema.no_info_after_validator_function(in_utc_if_infinite, schema)
    return core_schema.json_or_python_schema(schema, of_row)


def in_utc_if_infinite(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None and value in _INFINITE_TIMES else value
