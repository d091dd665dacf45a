"""errors.md: the problem types of `chassis.http.problem_details`, and the exceptions that have them."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus

from tools.reference.completeness import check_complete
from tools.reference.fields import fields_of
from tools.reference.markdown import anchor, code, page, table
from tools.reference.source import assignments, module

# Name: when it occurs, and what the client should do.
_TYPES = {
    "malformed-body": (
        (
            "The body is not what its `Content-Type` says, such as JSON in UTF-8, ends early, or is not compressed as "
            "its headers say."
        ),
        "Correct the body.",
    ),
    "bad-request": ("The request is not valid HTTP/1.1.", "Correct the request. The connection is closed."),
    "unauthorized": (
        "`OIDC_ISSUER` is set, and the request has no valid token. `detail` and `WWW-Authenticate` say why.",
        "Get a new token and repeat the request.",
    ),
    "forbidden": (
        "The token lacks a scope of the route. `WWW-Authenticate` names the scopes.",
        "Get a token with these scopes.",
    ),
    "not-found": ("There is no such resource.", "Do not repeat the request."),
    "no-such-route": ("No route has this path.", "Correct the path; `/docs` lists all routes."),
    "method-not-allowed": ("The path does not support this method.", "Use a method that the header `Allow` lists."),
    "request-timeout": (
        (
            "The head took longer than `HEADER_TIMEOUT_SECONDS`, or the body arrived more slowly than "
            "`BODY_MIN_BYTES_PER_SECOND` after `BODY_TIMEOUT_SECONDS`, or longer than the `body_seconds` of the route."
        ),
        "Repeat the request, and send it faster.",
    ),
    "conflict": (
        (
            "The request conflicts with existing data: a name is taken, which `errors` then names, or other data still "
            "refers to the row."
        ),
        "Read the data and change the request.",
    ),
    "request-in-progress": (
        "A request with the same `Idempotency-Key` is in progress.",
        "Repeat the request later, with the same key, to get its response.",
    ),
    "precondition-failed": (
        "`If-Match` does not match the current version of the resource.",
        "Read the resource, and repeat the request with its new `ETag`.",
    ),
    "body-too-large": (
        "The body is larger than `MAX_BODY_BYTES`, or than the `body_bytes` of the route.",
        "Send a smaller body.",
    ),
    "unsupported-media-type": (
        (
            "`Content-Type` is none that the route takes (`application/json`, unless its `consumes` says otherwise), "
            "or `Content-Encoding` is neither gzip nor deflate."
        ),
        (
            "Send what `/docs` lists for the route, and `Accept-Patch` for a PATCH, uncompressed or with one of these "
            "encodings."
        ),
    ),
    "expectation-failed": ("`Expect` is not `100-continue`.", "Leave the header out."),
    "invalid-request": (
        "One or more values of the path, the query, a header or the body are invalid. `errors` lists them.",
        "Correct all values that are listed.",
    ),
    "idempotency-key-reused": (
        "The `Idempotency-Key` was used before, with another query or body.",
        "Use a new key for each new request.",
    ),
    "precondition-required": (
        "`REQUIRE_IF_MATCH` is on, and the request has no `If-Match`.",
        "Send the `ETag` of the resource in `If-Match`, or `If-Match: *` for any version.",
    ),
    "head-too-large": (
        "The address or a header is longer than 8,190 bytes.",
        "Send a shorter one. The connection is closed.",
    ),
    "internal-error": (
        "An unexpected exception. The log has it as [`unforeseen_error`](log-events.md#unforeseen_error).",
        "Report the `request_id`. Repeat the request only if it is idempotent.",
    ),
    "overloaded": (
        (
            "None of the `MAX_IN_FLIGHT` places, of the `in_flight` places of the route or of the database connections "
            "became free in time, or `MAX_STREAMS` streams are open."
        ),
        "Repeat the request after `Retry-After`. The connection is closed.",
    ),
    "shutting-down": (
        "The process is shutting down and begins no new streams.",
        "Repeat the request: another process answers it. Browsers' `EventSource` does not do so by itself.",
    ),
    "deadline-exceeded": (
        "The request took longer than `REQUEST_TIMEOUT_SECONDS`, or than the `deadline_seconds` of the route.",
        "Repeat the request after `Retry-After`, a POST with its `Idempotency-Key`.",
    ),
    "database-unavailable": (
        "The database does not respond, or cannot execute the statement now (a lock timeout or a deadlock).",
        "Repeat the request after `Retry-After`, a POST with its `Idempotency-Key`.",
    ),
    "dependency-unavailable": (
        "Another service that this one needs, such as the OIDC issuer, does not respond or reports an error.",
        "Repeat the request after `Retry-After`, a POST with its `Idempotency-Key`.",
    ),
}

_EXAMPLE = """\
{
    "type": "urn:problem-type:invalid-request",
    "title": "Invalid request",
    "status": 422,
    "detail": "One or more values of the request break their rules; see errors.",
    "request_id": "0af7651916cd43dd8448eb211c80319c",
    "errors": [{"pointer": "#/name", "detail": "String should have at least 1 character"}]
}"""
_MEMBERS = {
    "type": "Identifies the problem type: `urn:problem-type:` and its name. Clients decide by it.",
    "title": "The name of the problem type, for people.",
    "status": "The HTTP status.",
    "detail": "What is wrong, and what to do. The text may change with a release.",
    "request_id": "Finds the request in the log. The header `X-Request-ID` has it, too.",
    "errors": "The invalid values. Left out if there are none.",
}
_ENTRIES = {
    "pointer": "The place of the value in the body: a JSON Pointer as a URI fragment (RFC 6901).",
    "parameter": "The name of a parameter of the path or the query, or `Idempotency-Key`; in the place of `pointer`.",
    "header": "The name of a header that the route takes; in the place of `pointer`.",
    "detail": "The rule that the value breaks. Never the value itself.",
}
_HEADERS = [
    ("401, 403", "`WWW-Authenticate`", "What is wrong with the token, or which scopes it lacks (RFC 6750)."),
    ("405", "`Allow`", "The methods that the path supports."),
    ("all of a deprecated route", "`Deprecation`, `Sunset`", "Since when, and until when it can be relied on."),
    ("503", "`Retry-After`", "Seconds after which the client should repeat the request."),
    ("all", "`X-Request-ID`", "The id of the request."),
]
_RAISE = """\
Raise one of these in a handler or in a query. The message becomes `detail`, so it says what is wrong and what to do:

```python
raise NotFoundError(f"There is no item {item_id}.")
raise InvalidRequestError([FieldError("pointer", "#/due", "Should be later than start")])
```

A subclass has the problem type of its base class. List what a handler raises in its route, `Route(…, raises=(…))`, so
that the OpenAPI document has it. The chassis raises some of these classes itself; their descriptions say so.

`Service.errors` gives an error of your own a status and a problem type: see
[how to return an error](../how-to/return-an-error.md)."""
_OTHERS = "A handler need not catch these exceptions. `detail` is a fixed text that reveals nothing internal:"
_REST = """\
Every other exception is a 500, `internal-error`. These are among them:

- `ServiceError`, `UnavailableError` and `MigrationError` themselves. Raise a subclass that the table above lists.
- an error of your own that `Service.errors` does not map. If a route declares it, the start logs
  [`error_not_mapped`](log-events.md#error_not_mapped).

## Other exceptions of aiohttp

An exception of aiohttp with a status of 400 or more is a problem with that status. Its type is named by the status:
`gone` for `web.HTTPGone`. Its own headers and cookies stay, and its `text`, if it has one, is the `detail`.
`web.HTTPNotFound` and `web.HTTPBadRequest` are in the table as aiohttp itself raises them; a handler's are
`not-found` and `bad-request`.

Redirects, such as `web.HTTPSeeOther`, and exceptions of success are sent as they are."""


@dataclass
class _ProblemType:
    status: HTTPStatus
    name: str
    classes: list[str] = field(default_factory=list)


def errors_page() -> str:
    """Return the page.

    Raises:
        GenerationError: a problem type or a member of the document is not described.
    """
    types = problem_types()
    here = "of tools/reference/problems.py"
    check_complete("problem type", types, _TYPES, f"_TYPES {here}")
    openapi = module("http/openapi")
    members = [each.name for each in fields_of(openapi, "Problem")]
    check_complete("member of Problem", members, _MEMBERS, f"_MEMBERS {here}")
    entries = [each.name for each in fields_of(openapi, "ProblemError")]
    check_complete("member of ProblemError", entries, _ENTRIES, f"_ENTRIES {here}")
    ordered = sorted(types.values(), key=lambda each: (each.status, each.name))
    return page(
        "Errors",
        "This page lists every problem type of the API: its status, its cause, what the client should do, and the "
        "exception that has it.",
        "Every error of the API is a problem document (RFC 9457).",
        "## Problem types and statuses",
        "`type` is `urn:problem-type:` and the name.",
        table(
            ["status", "name", "when", "what the client should do"],
            [[str(each.status.value), f"`{each.name}`", *_TYPES[each.name]] for each in ordered],
        ),
        "## Problem document",
        "The media type is `application/problem+json`.",
        code(_EXAMPLE, "json"),
        table(["member", "meaning"], [[f"`{name}`", meaning] for name, meaning in _MEMBERS.items()]),
        "An entry of `errors`:",
        table(["member", "meaning"], [[f"`{name}`", meaning] for name, meaning in _ENTRIES.items()]),
        "## Response headers",
        table(["status", "header", "meaning"], _HEADERS),
        "## Exceptions of chassis.errors",
        _RAISE,
        table(["exception", "status", "problem type"], _exceptions(ordered, own=True)),
        "## Exceptions of aiohttp and asyncpg",
        _OTHERS,
        table(["exception", "status", "problem type"], _exceptions(ordered, own=False)),
        "An `asyncpg.DataError` that asyncpg itself raises, for a value that the column's type cannot hold, is an "
        "`invalid-request`, too. A foreign key that forbids to delete a row, or to change its key, is a `conflict`. "
        "See [constraints](../explanation/data-access.md#constraints).",
        "## Unexpected exceptions: internal-error",
        _REST,
    )


def problem_types() -> dict[str, _ProblemType]:
    """Return the problem types of the chassis by name, with the classes of exceptions that have them."""
    found: dict[str, _ProblemType] = {}
    mapping = assignments(module("http/problem_details").body)["PROBLEM_TYPES"]
    assert isinstance(mapping, ast.Dict)
    for error, kind in zip(mapping.keys, mapping.values, strict=True):
        match error, kind:
            case ast.expr(), ast.Call(args=[ast.Attribute(attr=status), ast.Constant(value=str(name))]):
                kept = found.setdefault(name, _ProblemType(HTTPStatus[status], name))
                kept.classes.append(ast.unparse(error))
    of_class = {each: kind for kind in found.values() for each in kind.classes}
    for node in module("errors").body:
        match node:
            case ast.ClassDef(name=name, bases=[ast.Name(base)]) if f"errors.{name}" not in of_class:
                if parent := of_class.get(f"errors.{base}"):
                    parent.classes.append(f"errors.{name}")
    return found


def _exceptions(types: list[_ProblemType], *, own: bool) -> Iterator[list[str]]:
    for kind in types:
        for name in kind.classes:
            if name != "Exception" and name.startswith("errors.") == own:
                shown = _link(name.removeprefix("errors.")) if own else f"`{_qualified(name)}`"
                yield [shown, str(kind.status.value), f"`{kind.name}`"]


def _link(name: str) -> str:
    return f"[`{name}`](api/errors.md{anchor(name)})"


def _qualified(name: str) -> str:
    return re.sub(r"^(?=ClientError|http_exceptions|web\.)", "aiohttp.", name)
