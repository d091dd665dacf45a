"""Conditional requests (RFC 9110, section 13): a row counts its updates, and its version is its entity tag.

A client that sends the tag of what it read in `If-Match` cannot overwrite what it has not seen. The check belongs into
the statement that writes; looked at before it, two clients could pass the check and one update would be lost.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from aiohttp import hdrs, web
from pydantic import Field

from chassis.errors import PreconditionRequiredError
from chassis.models import Row

_TAG = r'(?:W/)?"[!#-~\x80-\xff]*"'
_TAGS = re.compile(rf"[\s,]*{_TAG}(?:\s*,[\s,]*{_TAG})*[\s,]*")
_VERSION = re.compile(r'"([1-9][0-9]{0,18})-[0-9a-f]+"')
_LARGEST_VERSION = 2**63 - 1


class Versioned(Row):
    """A representation with a strong entity tag.

    Attributes:
        version: 1 for a new row, one more with each update; told in the ETag, not in the body.
    """

    version: Annotated[int, Field(exclude=True)]


@dataclass(frozen=True)
class IfMatch:
    """The precondition of a write, for its statement: `($1::bigint[] IS NULL OR version = ANY ($1))`.

    Attributes:
        versions: the versions of which the row has to have one; None where the client accepts any.
    """

    versions: Sequence[int] | None


def etag(result: Versioned, form: str) -> str:
    """The value of the header ETag.

    Args:
        result: what is sent.
        form: changes with the way in which a row is written, as a new field of the same version is another content.
    """
    return f'"{result.version}-{form}"'


def if_match(request: web.Request, *, required: bool) -> IfMatch:
    """Reads the precondition of a write (RFC 9110, sections 13.1.1 and 13.1.2).

    `If-Match` compares strongly: a weak tag matches nothing. `If-None-Match` on a write asks that there is no such
    resource; where there is one, it is not written, whatever its version.

    Raises:
        PreconditionRequiredError: the client sent none, and `required` says that it must.
    """
    if hdrs.IF_NONE_MATCH in request.headers:
        return IfMatch([])
    if hdrs.IF_MATCH not in request.headers:
        if required:
            raise PreconditionRequiredError
        return IfMatch(None)
    tags = _tags(request, hdrs.IF_MATCH)
    if tags == ["*"]:
        return IfMatch(None)
    versions = [int(found[1]) for found in map(_VERSION.fullmatch, tags) if found]
    return IfMatch([version for version in versions if version <= _LARGEST_VERSION])


def is_refused(request: web.Request, tag: str) -> bool:
    """Whether `If-Match` of a read asks for another representation than this one (RFC 9110, section 13.1.1)."""
    return hdrs.IF_MATCH in request.headers and not {tag, "*"} & set(_tags(request, hdrs.IF_MATCH))


def is_known(request: web.Request, tag: str) -> bool:
    """Whether `If-None-Match` of a read names this representation (RFC 9110, section 13.1.2); it compares weakly."""
    if hdrs.IF_NONE_MATCH not in request.headers:
        return False
    known = _tags(request, hdrs.IF_NONE_MATCH)
    return known == ["*"] or tag in {each.removeprefix("W/") for each in known}


def _tags(request: web.Request, header: str) -> list[str]:
    """The tags of a header, which may come in several lines; `["*"]` for any; none where it is not well-formed."""
    text = ", ".join(request.headers.getall(header, ())).strip()
    if text == "*":
        return ["*"]
    return re.findall(_TAG, text) if _TAGS.fullmatch(text) else []
