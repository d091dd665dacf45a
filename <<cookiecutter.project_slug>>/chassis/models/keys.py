"""Keys that a service makes."""

import secrets
import time
import uuid

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
