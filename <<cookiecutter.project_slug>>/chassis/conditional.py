"""Conditional requests (RFC 9110, section 13): a row counts its updates, and its version is its entity tag.

A client that sends the tag of what it read in `If-Match` cannot overwrite what it has not seen. The check belongs into
the statement that writes; looked at before it, two clients could pass the check and one update would be lost.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from aiohttp import hdrs, web
from pydantic import BaseModel, Field

from chassis.errors import PreconditionRequiredError

_TAG = re.compile(r'(W/)?"([^"]*)"')
_LARGEST_VERSION = 2**63 - 1


class Versioned(BaseModel):
    """A representation with a strong entity tag.

    Attributes:
        version: 1 for a new row, one more with each update; told in the ETag, not in the body.
    """

    version: Annotated[int, Field(exclude=True)]

    @property
    def etag(self) -> str:
        """The value of the header ETag."""
        return f'"{self.version}"'


@dataclass(frozen=True)
class IfMatch:
    """The precondition of a write, for its statement: `($1::bigint[] IS NULL OR version = ANY ($1))`.

    Attributes:
        versions: the versions of which the row has to have one; None where the client accepts any.
    """

    versions: Sequence[int] | None


def if_match(request: web.Request, *, required: bool) -> IfMatch:
    """Reads `If-Match` (RFC 9110, section 13.1.1), which compares strongly: a weak tag matches nothing.

    Raises:
        PreconditionRequiredError: the client sent none, and `required` says that it must.
    """
    if hdrs.IF_MATCH not in request.headers:
        if required:
            raise PreconditionRequiredError
        return IfMatch(None)
    if _is_any(request, hdrs.IF_MATCH):
        return IfMatch(None)
    strong = (tag for weak, tag in _tags(request, hdrs.IF_MATCH) if not weak)
    return IfMatch(
        [int(tag) for tag in strong if re.fullmatch("[1-9][0-9]{0,18}", tag) and int(tag) <= _LARGEST_VERSION]
    )


def is_known(request: web.Request, etag: str) -> bool:
    """Whether `If-None-Match` (RFC 9110, section 13.1.2) names this representation; it compares weakly."""
    return _is_any(request, hdrs.IF_NONE_MATCH) or etag in {f'"{tag}"' for _, tag in _tags(request, hdrs.IF_NONE_MATCH)}


def _is_any(request: web.Request, header: str) -> bool:
    return request.headers.get(header, "").strip() == "*"


def _tags(request: web.Request, header: str) -> Iterator[tuple[str, str]]:
    """The tags of a header that may come in several lines: whether each is weak, and what stands between its quotes."""
    for line in request.headers.getall(header, ()):
        yield from _TAG.findall(line)
