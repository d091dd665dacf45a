"""Finds the values for which the parser of bodies refuses valid JSON (RFC 8259) as a whole, without telling where."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

_MOST_DIGITS = 4300
_LONG: Final = object()
_NO_SURROGATES = "Should be text without lone surrogates, which UTF-8 cannot encode"
_NO_SURROGATES_IN_NAMES = "Should have names without lone surrogates, which UTF-8 cannot encode"
_FEWER_DIGITS = f"Should have {_MOST_DIGITS:,} digits at most"
_WHOLE_PART = re.compile("-?([0-9]*)")
_MAX_BYTES = 128 * 1024  # the search of a larger body would block the event loop


def unreadable_values(body: bytes) -> Iterator[tuple[tuple[int | str, ...], str]]:
    """Yield the location of each such value, and the rule that it breaks; nothing for a body that is not JSON.

    The location of a name is that of its object. A large body is not searched.
    """
    if len(body) > _MAX_BYTES:
        return
    try:
        # As tuples of pairs, objects have all values of a name that occurs twice.
        whole = json.loads(body.decode(), parse_int=_if_long, parse_float=_if_long, object_pairs_hook=tuple)
    except (ValueError, RecursionError):
        return
    for path, value in _values(whole):
        if value is _LONG:
            yield path, _FEWER_DIGITS
        elif isinstance(value, str) and not _is_encodable(value):
            yield path, _NO_SURROGATES
        elif isinstance(value, tuple) and not all(_is_encodable(name) for name, _ in value):
            yield path, _NO_SURROGATES_IN_NAMES


def _values(whole: Any) -> Iterator[tuple[tuple[int | str, ...], Any]]:
    """Yield each value with its location, in the order of the body."""
    yield (), whole
    path: list[int | str] = []
    left = [_members(whole)]
    while left:
        for step, value in left[-1]:
            yield (*path, step), value
            if value and isinstance(value, list | tuple):
                path.append(step)
                left.append(_members(value))
                break
        else:
            left.pop()
            if path:
                path.pop()


def _members(value: Any) -> Iterator[tuple[int | str, Any]]:
    if isinstance(value, list):
        yield from enumerate(value)
    elif isinstance(value, tuple):
        yield from ((name, each) for name, each in value if _is_encodable(name))


def _if_long(number: str) -> object:
    """Return a mark for a number that is too long, and None for the others, whose values do not matter."""
    whole_part = _WHOLE_PART.match(number)
    return _LONG if whole_part and len(whole_part[1]) > _MOST_DIGITS else None


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
