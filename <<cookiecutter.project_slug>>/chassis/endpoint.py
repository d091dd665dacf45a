"""What aiohttp calls for a route: reads and checks the request as its contract says, and writes the answer."""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from aiohttp import hdrs, web
from pydantic import ValidationError

from chassis.bodies import Bodies
from chassis.caller import Caller
from chassis.conditional import etag, if_match, is_known, is_refused
from chassis.contract import NAMES, Contract, Route, contract_of
from chassis.database import Database
from chassis.errors import (
    InvalidRequestError,
    MalformedBodyError,
    Mistake,
    PreconditionFailedError,
    UnsupportedMediaTypeError,
)
from chassis.idempotency import idempotency_key, once
from chassis.settings import Settings

if TYPE_CHECKING:  # what it needs is large, and is loaded only where tokens are asked for
    from chassis.auth import Authentication

_NOBODY = Caller()
_MOST_MISTAKES = 100  # listing more would keep the event loop busy for the sake of a hostile body


def endpoint(
    route: Route,
    resources: Mapping[type, Any],
    bodies: Bodies,
    authentication: "Authentication | None" = None,
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Makes aiohttp's handler for a route: reads and checks the request, calls the handler, writes the answer.

    Args:
        route: the operation.
        resources: what the service gives its handlers, by type; looked up a request, as some are made at the start.
        bodies: receives the request's.
        authentication: checks who sends a request; None where anybody may.

    Raises:
        TypeError: the handler's signature asks for something that is neither in the request nor in `resources`.
    """
    contract = contract_of(route)
    if unknown := {name: hint for name, hint in contract.given.items() if hint not in resources}:
        raise TypeError(f"{route.handler.__qualname__}: nothing gives it {unknown}")
    settings: Settings = resources[Settings]
    keep = timedelta(seconds=settings.idempotency_keep_seconds)

    async def handle(request: web.Request) -> web.Response:
        caller = _NOBODY
        if authentication:
            caller = await authentication.caller(request, route.scopes)
        body = await _json_content(request, bodies) if contract.body else b""
        values = _checked(request, contract, body)
        for name, hint in contract.given.items():
            values[name] = resources[hint]
        if contract.caller:
            values[contract.caller] = caller
        if contract.if_match:
            values[contract.if_match] = if_match(request, required=settings.require_if_match)
        parameter = contract.idempotent
        key = idempotency_key(request, caller) if parameter else None
        if not parameter or not key:
            return _answer(request, route, contract, await route.handler(**values))

        async def carry_out(database: Database) -> web.Response:
            return _answer(request, route, contract, await route.handler(**values | {parameter: database}))

        # As the client said it, but for blanks and the order of members: what the models add changes with the code.
        said = json.dumps(json.loads(body), sort_keys=True) if contract.body else ""
        content = f"{request.query_string}\n{said}"
        return await once(values[parameter], key, content, keep, carry_out)

    return handle


def _checked(request: web.Request, contract: Contract, content: bytes) -> dict[str, Any]:
    """The handler's values that come from the request.

    Raises:
        InvalidRequestError: some break their rules; it names them all.
    """
    values: dict[str, Any] = {}
    mistakes: list[Mistake] = []
    in_path: Mapping[str, Any] = request.match_info
    for name, adapter in contract.path.items():
        try:
            values[name] = adapter.validator.validate_strings(in_path[name])
        except ValidationError as error:
            mistakes += _mistakes(error, "parameter", name)
    if contract.query:
        name, query = contract.query
        try:
            values[name] = query.model_validate(dict(request.query))
        except ValidationError as error:
            mistakes += _mistakes(error, "parameter")
        twice = sorted({name for name in request.query if len(request.query.getall(name)) > 1})
        mistakes += [Mistake("parameter", name, "Should be given once") for name in twice]
    elif request.query_string:
        mistakes += [Mistake("parameter", name, "Takes no query parameters") for name in request.query]
    if contract.body:
        name, body = contract.body
        try:
            values[name] = body.model_validate_json(content)
        except ValidationError as error:
            mistakes += _mistakes(error, "pointer")
    if mistakes:
        raise InvalidRequestError(mistakes)
    return values


async def _json_content(request: web.Request, bodies: Bodies) -> bytes:
    if request.content_type != "application/json":
        raise UnsupportedMediaTypeError("Send the body as JSON, with Content-Type: application/json.")
    return await bodies.receive(request)


def _mistakes(error: ValidationError, where: str, name: str = "") -> list[Mistake]:
    """What pydantic found, without the values: the name of a parameter is given or begins the location."""
    if (count := error.error_count()) > _MOST_MISTAKES:
        return [Mistake(where, name or "#", f"{count} values break their rules, more than are listed")]
    mistakes = []
    for found in error.errors(include_url=False, include_context=False, include_input=False):
        if found["type"] == "json_invalid":
            raise MalformedBodyError("The body is not JSON in UTF-8, or is nested too deep to be read.") from None
        place = _pointer(found["loc"]) if where == "pointer" else name or str(found["loc"][0])
        mistakes.append(Mistake(where, place, found["msg"].removeprefix("Value error, ")))
    return mistakes


def _pointer(location: tuple[int | str, ...]) -> str:
    steps = (quote(str(step).replace("~", "~0").replace("/", "~1"), safe="~") for step in location)
    return "#" + "".join(f"/{step}" for step in steps)


def _answer(request: web.Request, route: Route, contract: Contract, result: Any) -> web.Response:
    if contract.result is None:
        return web.Response(status=204)
    headers = {hdrs.CONTENT_TYPE: "application/json"}
    if contract.versioned:
        tag = headers[hdrs.ETAG] = etag(result, contract.form)
        if request.method in {hdrs.METH_GET, hdrs.METH_HEAD}:
            if is_refused(request, tag):
                raise PreconditionFailedError
            if is_known(request, tag):
                return web.Response(status=304, headers={hdrs.ETAG: tag})
    body = contract.result.serializer.to_json(result)
    response = web.Response(status=route.status, body=body, headers=headers)
    if route.location:
        response.headers["Location"] = NAMES.sub(
            lambda name: quote(str(getattr(result, name[1])), safe=""), route.location
        )
    if contract.paged and result.next_cursor:
        response.headers["Link"] = (
            f'<{request.rel_url.update_query(cursor=result.next_cursor).with_fragment(None)}>; rel="next"'
        )
    return response
