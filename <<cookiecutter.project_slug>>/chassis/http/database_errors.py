"""What a broken constraint of the database means for the client: which fields are wrong, and by which rule."""

import json
import re

import asyncpg
from aiohttp import web

from chassis.errors import FieldError

STILL_REFERRED_TO = "Other data still refers to this. Delete or change that first."

_RULES: dict[type[Exception], str] = {
    asyncpg.UniqueViolationError: "Is taken already",
    asyncpg.ForeignKeyViolationError: "Refers to what does not exist",
    asyncpg.NotNullViolationError: "Is required",
    asyncpg.CheckViolationError: "Breaks a rule of the database",
    asyncpg.IntegrityConstraintViolationError: "Does not fit what there is already",
}
# Only these have a detail that begins with columns: `Key (a, b)=(1, 2) already exists.` The word is translated.
_WITH_COLUMNS = (asyncpg.UniqueViolationError, asyncpg.ForeignKeyViolationError, asyncpg.ExclusionViolationError)
_COLUMNS = re.compile(r"[^(]*\(([^()=]+)\)=\(")
_COLUMN = re.compile(r'"?(\w+)"?')
# As PostgreSQL's translations write them.
_QUOTES = re.compile('["«»„“”「」]')
_QUOTES_OF_A_NAME = 2


def is_still_referred_to(error: Exception) -> bool:
    """Tell whether a foreign key forbids to delete a row, or to change its key.

    PostgreSQL has one SQLSTATE for this and for a reference to a row that does not exist. The message about such a
    reference quotes two names, of the table and of the constraint. The message about a row that is referred to quotes
    the other table as well.
    """
    if isinstance(error, asyncpg.RestrictViolationError):  # PostgreSQL 18 and later, for ON DELETE RESTRICT
        return True
    if not isinstance(error, asyncpg.ForeignKeyViolationError):
        return False
    return len(_QUOTES.findall(str(error.args[0]) if error.args else "")) > 2 * _QUOTES_OF_A_NAME


def field_errors(error: asyncpg.IntegrityConstraintViolationError, request: web.BaseRequest) -> list[FieldError]:
    """Return the fields that break a constraint, without their values.

    None if the request has no body and the constraint none of the path's parameters, or if the row is referred to.
    """
    if is_still_referred_to(error):
        return []
    rule = next(_RULES[ancestor] for ancestor in type(error).__mro__ if ancestor in _RULES)
    in_path = request.match_info if isinstance(request, web.Request) else {}
    columns = _columns(error)
    found = [FieldError("parameter", column, rule) for column in columns if column in in_path]
    if request.body_exists:
        of_body = [column for column in columns if column not in in_path]
        if len(columns) > 1:
            sent = _members(request)
            of_body = [column for column in of_body if column in sent] or ([] if found else of_body)
        if _is_array(request):  # PostgreSQL does not say which of its rows broke the constraint
            found += [FieldError("pointer", "#", f"{rule}: {column}") for column in of_body]
        else:
            found += [FieldError("pointer", f"#/{column}", rule) for column in of_body]
        found = found or [FieldError("pointer", "#", rule)]
    return found


def _columns(error: asyncpg.IntegrityConstraintViolationError) -> list[str]:
    """Return the columns of a constraint: PostgreSQL names them, or has named the constraint after them."""
    if error.column_name:
        return [error.column_name]
    if isinstance(error, _WITH_COLUMNS) and (listed := _COLUMNS.match(error.detail or "")):
        columns = [_COLUMN.fullmatch(each) for each in listed[1].split(", ")]
        if all(columns):
            return [column[1] for column in columns if column]
    named = re.fullmatch(rf"{error.table_name}_(.+)_(key|fkey|check)\d*", error.constraint_name or "")
    return [named[1]] if named else []


def _is_array(request: web.BaseRequest) -> bool:
    """Return True if the body of a request is a JSON array and was read."""
    return _received(request).lstrip().startswith(b"[")


def _members(request: web.BaseRequest) -> set[str]:
    """Return the names in the body of a request, if that is a JSON object, or an array of objects, and was read."""
    try:
        body = json.loads(_received(request) or b"{}")
    except (ValueError, RecursionError):
        return set()
    objects = body if isinstance(body, list) else [body]
    return set().union(*(each for each in objects if isinstance(each, dict)))


def _received(request: web.BaseRequest) -> bytes:
    return getattr(request, "received", None) or b""
