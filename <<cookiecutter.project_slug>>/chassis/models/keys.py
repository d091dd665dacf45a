"""Keys: UUIDs that a service makes, and those that clients send."""

import re
import secrets
import time
import uuid
from typing import Annotated

from pydantic import BeforeValidator

_UUID = re.compile("[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")

_last = 0


def _uuid7() -> uuid.UUID:
    """Make a UUID from the time in milliseconds, 12 bits for a fraction of one, and 62 random bits (RFC 9562)."""
    global _last
    milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
    _last = max(_last + 1, milliseconds << 12 | (nanoseconds << 12) // 1_000_000)
    return uuid.UUID(int=_last >> 12 << 80 | 7 << 76 | (_last & 0xFFF) << 64 | 2 << 62 | secrets.randbits(62))


_make = getattr(uuid, "uuid7", _uuid7)  # Python 3.14 and later have it


def new_uuid() -> uuid.UUID:
    """Make a UUID of version 7, which begins with the time.

    Each is greater than those that this process has made before, so that new rows are neighbours in an index. Those of
    several processes are in the order of their clocks.
    """
    made: uuid.UUID = _make()
    return made


def _uuid(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not _UUID.fullmatch(value):
        raise ValueError("Should be a UUID such as 0b9ad1d5-9d39-4ab7-8c8e-6b8f0c1a2b3c")
    return uuid.UUID(value)


Uuid = Annotated[uuid.UUID, BeforeValidator(_uuid)]
"""A UUID in the format of RFC 9562, in upper or lower case.

pydantic by itself also accepts braces, the prefix `urn:uuid:` and digits without dashes, so that a resource would have
several URLs.
"""
