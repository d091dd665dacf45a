"""Header fields that handlers and errors add to a response: what may be sent."""

import re
from collections.abc import Iterable

from multidict import CIMultiDict

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]*")
_OF_THE_SERVER = {"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding", "x-request-id"}


def checked(fields: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return header fields that can be sent.

    Raises:
        ValueError: a value has a line break or another control character, or a name is none. The message names the
            header and never its value.
    """
    found = list(fields)
    for name, value in found:
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ValueError(f"The header {name!r} cannot be sent: a line break, a control character or a wrong name")
    return found


def replace(headers: CIMultiDict[str], fields: Iterable[tuple[str, str]]) -> None:
    """Set header fields, several of one name among them, in the place of those that have the same names.

    Raises:
        ValueError: one of them cannot be sent, or is one that the server sets.
    """
    added = checked(fields)
    if own := sorted({name for name, _ in added if name.lower() in _OF_THE_SERVER}):
        raise ValueError(f"The server sets the headers {own}: leave them out")
    for name, _ in added:
        headers.popall(name, None)
    headers.extend(added)
