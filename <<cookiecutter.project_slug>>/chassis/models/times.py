"""Dates and times that clients send."""

import re
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import BeforeValidator

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(rf"{_DATE.pattern}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(\.[0-9]+)?(Z|[+-][0-9]{{2}}:[0-9]{{2}})")


def _date(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return date.fromisoformat(value if _DATE.fullmatch(value) else "")
    except ValueError:
        raise ValueError("Should be a date such as 2026-12-31") from None


def _timestamp(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return datetime.fromisoformat(value if _TIME.fullmatch(value) else "").astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("Should be a time with its offset from UTC, such as 2026-12-31T23:59:59Z") from None


Date = Annotated[date, BeforeValidator(_date)]
"""A date in the format of RFC 3339. pydantic by itself also accepts a string of digits, as seconds since 1970."""

Timestamp = Annotated[datetime, BeforeValidator(_timestamp)]
"""A time in the format of RFC 3339, converted to UTC."""
