"""aiohttp's handler of a route: validates the request against the contract, calls the typed handler, and responds."""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from aiohttp import hdrs, web
from pydantic import ValidationError

from chassis.caller import Caller
from chassis.conditional import etag, if_match, is_known, is_refused
from chassis.contract import PATH_PARAMETERS, Contract, Route, contract_of
from chassis.database import Database
from chassis.errors import (
    FieldError,
    InvalidRequestError,
    MalformedBodyError,
    PreconditionFailedError,
    UnsupportedMediaTypeError,
)
from chassis.http.idempotency import idempotency_key, once
from chassis.http.request_body import RequestBodyReader
from chassis.resources.injection import Injector
from chassis.settings import Settings

if TYPE_CHECKING:  # its imports are large, and only needed if tokens are required
    from chassis.http.authentication import Authentication

_ANONYMOUS = Caller()
_MAX_FIELD_ERRORS = 100  # a hostile body could make many, which would block the event loop


def endpoint(
    route: Route,
    resources: Injector,
    settings: Settings,
    body_reader: RequestBodyReader,
    authentication: "Authentication | None" = None,
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Make aiohttp's handler for a route.

    Args:
        route: the operation.
        resources: the resources that handlers may have as parameters.
        settings: the service's settings.
        body_reader: reads the request's body.
        authentication: verifies tokens; None if the API requires none.

    Raises:
        TypeError: the handler has a parameter that is neither in the request nor a resource.
    """
    contract = contract_of(route)
    if unknown := {name: hint for name, hint in contract.resources.items() if hint not in resources.types}:
        raise TypeError(f"{route.handler.__qualname__}: nothing gives it {unknown}")
    provided = resources.values
    keep = timedelta(seconds=settings.idempotency_keep_seconds)

    async def handle(request: web.Request) -> web.Response:
        caller = _ANONYMOUS
        if authentication:
            caller = await authentication.caller(request, route.scopes)
        body = await _json_content(request, body_reader) if contract.body else b""
        values = _validated(request, contract, body)
        for name, hint in contract.resources.items():
            values[name] = provided[hint]
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

        # The client's JSON, normalized. Not the validated model: its defaults may change with the next release.
        said = json.dumps(json.loads(body), sort_keys=True) if contract.body else ""
        content = f"{request.query_string}\n{said}"
        return await once(values[parameter], key, content, keep, carry_out)

    return handle


def _validated(request: web.Request, contract: Contract, content: bytes) -> dict[str, Any]:
    """Return the handler's arguments from the request, or raise an InvalidRequestError that names every wrong value."""
    values: dict[str, Any] = {}
    field_errors: list[FieldError] = []
    in_path: Mapping[str, Any] = request.match_info
    for name, adapter in contract.path.items():
        try:
            values[name] = adapter.validator.validate_strings(in_path[name])
        except ValidationError as error:
            field_errors += _field_errors(error, "parameter", name)
    if contract.query:
        name, query = contract.query
        try:
            values[name] = query.model_validate(dict(request.query))
        except ValidationError as error:
            field_errors += _field_errors(error, "parameter")
        twice = sorted({name for name in request.query if len(request.query.getall(name)) > 1})
        field_errors += [FieldError("parameter", name, "Should be given once") for name in twice]
    elif request.query_string:
        field_errors += [FieldError("parameter", name, "Takes no query parameters") for name in request.query]
    if contract.body:
        name, body = contract.body
        try:
            values[name] = body.model_validate_json(content)
        except ValidationError as error:
            field_errors += _field_errors(error, "pointer")
    if field_errors:
        raise InvalidRequestError(field_errors)
    return values


async def _json_content(request: web.Request, body_reader: RequestBodyReader) -> bytes:
    if request.content_type != "application/json":
        raise UnsupportedMediaTypeError("Send the body as JSON, with Content-Type: application/json.")
    return await body_reader.read(request)


def _field_errors(error: ValidationError, where: str, name: str = "") -> list[FieldError]:
    """Convert pydantic's errors, without the values. Without `name`, the location begins with the parameter's name."""
    if (count := error.error_count()) > _MAX_FIELD_ERRORS:
        return [FieldError(where, name or "#", f"{count} values break their rules, more than are listed")]
    field_errors = []
    for found in error.errors(include_url=False, include_context=False, include_input=False):
        if found["type"] == "json_invalid":
            raise MalformedBodyError("The body is not JSON in UTF-8, or is nested too deep to be read.") from None
        place = _pointer(found["loc"]) if where == "pointer" else name or str(found["loc"][0])
        field_errors.append(FieldError(where, place, found["msg"].removeprefix("Value error, ")))
    return field_errors


def _pointer(location: tuple[int | str, ...]) -> str:
    steps = (quote(str(step).replace("~", "~0").replace("/", "~1"), safe="~") for step in location)
    return "#" + "".join(f"/{step}" for step in steps)


def _answer(request: web.Request, route: Route, contract: Contract, result: Any) -> web.Response:
    if contract.result is None:
        return web.Response(status=204)
    headers = {hdrs.CONTENT_TYPE: "application/json"}
    if contract.versioned:
        tag = headers[hdrs.ETAG] = etag(result, contract.schema_digest)
        if request.method in {hdrs.METH_GET, hdrs.METH_HEAD}:
            if is_refused(request, tag):
                raise PreconditionFailedError
            if is_known(request, tag):
                return web.Response(status=304, headers={hdrs.ETAG: tag})
    body = contract.result.serializer.to_json(result)
    response = web.Response(status=route.status, body=body, headers=headers)
    if route.location:
        response.headers["Location"] = PATH_PARAMETERS.sub(
            lambda name: quote(str(getattr(result, name[1])), safe=""), route.location
        )
    if contract.paged and result.next_cursor:
        response.headers["Link"] = (
            f'<{request.rel_url.update_query(cursor=result.next_cursor).with_fragment(None)}>; rel="next"'
        )
    return response
