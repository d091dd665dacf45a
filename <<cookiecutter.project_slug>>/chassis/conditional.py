"""Conditional requests (RFC 9110, section 13): each update increments a row's version, which is its entity tag.

Check the version in the statement that writes. If you check it before, two clients may pass and one update is lost.

    matches = "($2::bigint[] IS NULL OR version = ANY ($2))"
    query = f"UPDATE items SET name = $3, version = version + 1 WHERE id = $1 AND {matches} RETURNING *"
    row = await database.fetchrow(query, item_id, if_match.versions, body.name)  # with `if_match: IfMatch`
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
    """A row with a strong entity tag.

    Attributes:
        version: 1 for a new row, incremented by each update; sent in the ETag header, not in the body.
    """

    version: Annotated[int, Field(exclude=True)]


@dataclass(frozen=True)
class IfMatch:
    """The precondition of a write: the version that the row must have.

    Attributes:
        versions: the row must have one of these; None allows any version.
    """

    versions: Sequence[int] | None


def etag(result: Versioned, form: str) -> str:
    """Return the entity tag of a result.

    Args:
        result: the result of a handler.
        form: a digest of the result's JSON schema, so that a release with a new field changes the tag.
    """
    return f'"{result.version}-{form}"'


def if_match(request: web.Request, *, required: bool) -> IfMatch:
    """Return the precondition of a write (RFC 9110, sections 13.1.1 and 13.1.2).

    `If-Match` compares strongly, so a weak tag matches nothing. `If-None-Match` asks for a resource that does not exist
    yet, so no version matches.

    Args:
        request: the request.
        required: whether the request must have `If-Match`.

    Raises:
        PreconditionRequiredError: `required` is true and the client sent none.
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
    """Return True if `If-Match` of a read does not match the entity tag (RFC 9110, section 13.1.1)."""
    return hdrs.IF_MATCH in request.headers and not {tag, "*"} & set(_tags(request, hdrs.IF_MATCH))


def is_known(request: web.Request, tag: str) -> bool:
    """Return True if `If-None-Match` of a read matches the entity tag, compared weakly (RFC 9110, section 13.1.2)."""
    if hdrs.IF_NONE_MATCH not in request.headers:
        return False
    known = _tags(request, hdrs.IF_NONE_MATCH)
    return known == ["*"] or tag in {each.removeprefix("W/") for each in known}


def _tags(request: web.Request, header: str) -> list[str]:
    """Return the tags of a header, which may be repeated: `["*"]` for any tag, none if it is malformed."""
    text = ", ".join(request.headers.getall(header, ())).strip()
    if text == "*":
        return ["*"]
    return re.findall(_TAG, text) if _TAGS.fullmatch(text) else []
