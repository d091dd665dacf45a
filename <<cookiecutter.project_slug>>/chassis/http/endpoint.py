"""aiohttp's handler of a route: validates the request against the contract, calls the typed handler, and responds."""

import json
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias, cast
from urllib.parse import quote

from aiohttp import hdrs, web
from multidict import MultiMapping
from pydantic import ValidationError
from yarl import URL

from chassis.caller import Caller
from chassis.conditional import etag, if_match, is_known, is_refused
from chassis.contract import PATH_PARAMETERS, Contract, ResponseHead, Route, contract_of
from chassis.database import Database
from chassis.errors import (
    DependencyUnavailableError,
    FieldError,
    InvalidRequestError,
    MalformedBodyError,
    PreconditionFailedError,
    UnsupportedMediaTypeError,
)
from chassis.http.aiohttp_internals import allow_form
from chassis.http.deprecation import deprecated
from chassis.http.header_fields import replace
from chassis.http.idempotency import HEADER, digest, idempotency_key, once
from chassis.http.request_body import Request, RequestBodyReader
from chassis.http.streams import TOKEN_EXPIRES, Streams, original_of
from chassis.http.unreadable_json import unreadable_values
from chassis.models.row_encoder import row_json
from chassis.pagination.page import page_json
from chassis.resources.injection import Injector, not_open
from chassis.settings import Settings

if TYPE_CHECKING:  # its imports are large, and only needed if tokens are required
    from chassis.http.authentication import Authentication

_ANONYMOUS = Caller()
_WITHOUT_BODY = {204, 205, 304}
_KEYED = {hdrs.METH_POST, hdrs.METH_PATCH}
_NO_KEY = "Is not taken here, because the body or the response is streamed; leave it out"
_SPARE_SECONDS = 2  # from the deadline of a request to the end of its claim on a key
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]+")  # RFC 3986: is the same when it is encoded
_PLAIN_QUERY = re.compile(r"[A-Za-z0-9._~=&-]*")
_MAX_FIELD_ERRORS = 100
_MAX_CONVERTED_ERRORS = 5000  # a hostile body could make more, which would block the event loop

_Respond: TypeAlias = Callable[[web.Request, Any, ResponseHead | None], web.StreamResponse]
_Validate: TypeAlias = Callable[[web.Request, bytes], dict[str, Any]]
_ReadBody: TypeAlias = Callable[[web.Request], Awaitable[bytes]]


def endpoint(
    route: Route,
    resources: Injector,
    settings: Settings,
    body_reader: RequestBodyReader,
    streams: Streams,
    authentication: "Authentication | None" = None,
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Make aiohttp's handler for a route.

    Args:
        route: the operation.
        resources: the resources that handlers may have as parameters.
        settings: the service's settings.
        body_reader: reads the request's body.
        streams: have a place for a body that the handler reads piece by piece.
        authentication: verifies tokens; None if the API requires none.

    Raises:
        TypeError: the handler has a parameter that is neither in the request nor a resource; the message names both
            and says what there is.
    """
    contract = contract_of(route)
    resources.check(route.handler, contract.resources)
    # All that depends on the route alone is decided here, once.
    verify = authentication.caller if authentication and not route.public else None
    expiry_of = authentication.expiry_of if authentication and route.ends_with_token else None
    reader = body_reader.limited(route.limits)
    limited = reader.max_bytes != body_reader.max_bytes or reader.seconds is not None
    read_body, validate, respond = _body_of(route, contract, reader), _validator(contract), _responder(route, contract)
    handler = _reading(route, contract, reader, streams) if contract.reads_body else route.handler
    takes_no_key = route.method in _KEYED and (contract.reads_body or contract.makes_response)
    needed, provided = tuple(contract.resources.items()), resources.values
    made = list[tuple[str, Callable[[web.Request], Any]]]()
    if contract.request:
        made.append((contract.request, _itself))
    if contract.if_match:
        made.append((contract.if_match, partial(if_match, required=settings.require_if_match)))
    head_parameter, caller_parameter, parameter = contract.head, contract.caller, contract.idempotent
    keep = timedelta(seconds=settings.idempotency_keep_seconds)
    deadline = route.limits.deadline_seconds or settings.request_timeout_seconds + (route.limits.body_seconds or 0)
    claim = timedelta(seconds=deadline + _SPARE_SECONDS)

    async def handle(request: web.Request) -> web.StreamResponse:
        caller = await verify(request, route.scopes) if verify else _ANONYMOUS
        if expiry_of:
            original_of(request)[TOKEN_EXPIRES] = expiry_of(caller)
        if takes_no_key and HEADER in request.headers:
            raise InvalidRequestError([FieldError("parameter", HEADER, _NO_KEY)])
        if limited:
            for each in (request, original_of(request)):
                if isinstance(each, Request):
                    each.body_reader = reader
            allow_form(request, reader.max_bytes)
        body = await read_body(request) if read_body else b""
        values = validate(request, body)
        try:
            for name, hint in needed:
                values[name] = provided[hint]
        except KeyError as error:
            raise DependencyUnavailableError from not_open(error)
        if caller_parameter:
            values[caller_parameter] = caller
        if made:
            for name, make in made:
                values[name] = make(request)
        head = None
        if head_parameter:
            head = values[head_parameter] = ResponseHead()
        key = None
        if parameter and HEADER in request.headers:
            key = idempotency_key(request, caller, settings.idempotency_caller_header)
        if not parameter or not key:
            return respond(request, await handler(**values), head)

        async def carry_out(database: Database) -> web.Response:
            response = respond(request, await handler(**values | {parameter: database}), head)
            return cast(web.Response, response)  # the handlers of other ones take no key

        # The client's JSON, normalized. Not the validated model: its defaults may change with the next release.
        said = json.dumps(json.loads(body), sort_keys=True) if contract.body else body.decode("latin-1")
        # A header such as a signature or a tenant: another value is another request.
        headers = (f"{each.name}: {request.headers.get(each.name)}" for each in contract.headers.values())
        fingerprint = digest(request.query_string, said, *headers)
        return await once(values[parameter], key, fingerprint, keep, claim, carry_out)

    return deprecated(route, handle) if route.deprecated else handle


def _reading(
    route: Route, contract: Contract, reader: RequestBodyReader, streams: Streams
) -> Callable[..., Awaitable[Any]]:
    """Return the handler of a route that reads the body itself, with a place for that."""

    async def read(**values: Any) -> Any:
        async with reader.streaming(values[contract.request or ""], streams):
            return await route.handler(**values)

    return read


def _itself(request: web.Request) -> web.Request:
    return request


def _body_of(route: Route, contract: Contract, body_reader: RequestBodyReader) -> _ReadBody | None:
    """Return the function that checks the body's media type and reads it; None if the handler takes no body."""
    if not contract.consumes:
        return None
    whole = frozenset(media_type for media_type in contract.consumes if not media_type.endswith("*"))
    beginnings = tuple(
        media_type.removesuffix("*").removeprefix("*/") for media_type in contract.consumes if media_type not in whole
    )
    wanted = f"Send the body as {' or '.join(contract.consumes)}, and say so in Content-Type."
    if whole == {"application/json"} and not beginnings:
        wanted = "Send the body as JSON, with Content-Type: application/json."
    accepted = [each for each in contract.consumes if each in whole] if route.method == hdrs.METH_PATCH else []
    given = bool(contract.body or contract.raw_body)

    async def read(request: web.Request) -> bytes:
        media_type = request.headers.get(hdrs.CONTENT_TYPE)
        if media_type not in whole:
            media_type = request.content_type  # without parameters
        if media_type not in whole and not media_type.startswith(beginnings):
            raise UnsupportedMediaTypeError(wanted, accept_patch=accepted)
        if not given:  # the handler reads it from aiohttp's request
            return b""
        return await (request.read() if isinstance(request, Request) else body_reader.read(request))

    return read


def _validator(contract: Contract) -> _Validate:
    """Return the function that makes the handler's arguments, or raises an InvalidRequestError for all wrong values."""
    path = tuple((name, adapter.validator.validate_strings) for name, adapter in contract.path.items())
    query, repeated, headers = contract.query, contract.repeated, tuple(contract.headers.items())
    body, raw_body = contract.body, contract.raw_body

    def validate(request: web.Request, content: bytes) -> dict[str, Any]:
        values: dict[str, Any] = {}
        field_errors: list[FieldError] = []
        if path:
            in_path: Mapping[str, Any] = request.match_info
            for name, of_string in path:
                try:
                    values[name] = of_string(in_path[name])
                except ValidationError as error:
                    field_errors += _field_errors(error, "parameter", name)
        if query:
            name, query_model = query
            asked = request.query
            parameters: dict[str, Any] = dict(asked)
            if repeated:
                for each, most in repeated.items():
                    if each in parameters:
                        parameters[each] = _values_of(asked, each)[:most]
            try:
                values[name] = query_model.model_validate(parameters)
            except ValidationError as error:
                field_errors += _field_errors(error, "parameter")
            if len(asked) > len(parameters):
                field_errors += _too_often(asked, repeated)
        elif request.query_string:
            field_errors += [FieldError("parameter", name, "Takes no query parameters") for name in request.query]
        if headers:
            for name, header in headers:
                given: Sequence[Any] = request.headers.getall(header.name, ())
                if not given and not header.required:
                    values[name] = header.default
                elif broken := _header_rule(given):
                    field_errors.append(FieldError("header", header.name, broken))
                else:
                    try:
                        values[name] = header.adapter.validator.validate_strings(given[0])
                    except ValidationError as error:
                        field_errors += _field_errors(error, "header", header.name)
        if raw_body:
            values[raw_body] = content
        elif body:
            name, adapter = body
            try:
                values[name] = adapter.validator.validate_json(content)
            except ValidationError as error:
                field_errors += _body_errors(error, content)
        if field_errors:
            raise InvalidRequestError(field_errors)
        return values

    return validate


def _values_of(query: MultiMapping[str], name: str) -> list[str]:
    """Return the values of a repeated parameter; none for `?name=`, which is how OpenAPI writes an empty array."""
    found = query.getall(name)
    return [] if found == [""] else found


def _too_often(query: MultiMapping[str], repeated: Mapping[str, int]) -> Iterator[FieldError]:
    """Yield the errors of the parameters that are given more often than they may be."""
    for name in sorted(set(query)):
        if len(query.getall(name)) > (most := repeated.get(name, 1)):
            rule = f"Should be given {most} times at most" if name in repeated else "Should be given once"
            yield FieldError("parameter", name, rule)


def _header_rule(given: Sequence[str]) -> str:
    """Return the rule that a header breaks, whatever its type is; empty if there is none."""
    if not given:
        return "Is required"
    if len(given) > 1:
        return "Should be given once"
    try:
        given[0].encode()
    except UnicodeEncodeError:  # aiohttp decodes with surrogateescape
        return "Should be text in UTF-8"
    return ""


def _body_errors(error: ValidationError, body: bytes) -> list[FieldError]:
    """Convert pydantic's errors of a body.

    Raises:
        MalformedBodyError: the body is not JSON, or no value is found for which the parser refuses it.
    """
    try:
        return _field_errors(error, "pointer")
    except MalformedBodyError:
        unreadable = islice(unreadable_values(body), _MAX_FIELD_ERRORS)
        if found := [FieldError("pointer", _pointer(location), rule) for location, rule in unreadable]:
            return found
        raise


def _field_errors(error: ValidationError, where: str, name: str = "") -> list[FieldError]:
    """Convert pydantic's errors, without the values. Without `name`, the location begins with the parameter's name."""
    if (count := error.error_count()) > _MAX_CONVERTED_ERRORS:
        return [FieldError(where, name or "#", f"{count} values break their rules, more than are listed")]
    field_errors = []
    for found in error.errors(include_url=False, include_context=False, include_input=False)[:_MAX_FIELD_ERRORS]:
        if found["type"] == "json_invalid":
            raise MalformedBodyError("The body is not JSON in UTF-8, or is nested too deep to be read.") from None
        place = _pointer(found["loc"]) if where == "pointer" else name or str(found["loc"][0])
        field_errors.append(FieldError(where, place, found["msg"].removeprefix("Value error, ")))
    if count > _MAX_FIELD_ERRORS:
        rule = f"{count - _MAX_FIELD_ERRORS} more values break their rules"
        field_errors.append(FieldError(where, name or "#", rule))
    return field_errors


def _pointer(location: tuple[int | str, ...]) -> str:
    steps = (quote(str(step).replace("~", "~0").replace("/", "~1"), safe="~") for step in location)
    return "#" + "".join(f"/{step}" for step in steps)


def _responder(route: Route, contract: Contract) -> _Respond:
    """Return the function that makes the response of a handler's result."""
    if contract.makes_response:
        return _response_itself
    to_body = _serializer(contract)
    media_type = contract.produces
    if contract.as_it_is is str and media_type.startswith("text/"):
        media_type += "; charset=utf-8"
    versioned, location, paged = contract.versioned, route.location, contract.paged
    success = route.status if contract.result else 204

    def respond(request: web.Request, result: Any, head: ResponseHead | None) -> web.Response:
        status = success
        if head:
            status = head.status or success
        headers = {hdrs.CONTENT_TYPE: media_type}
        if versioned:
            tag = headers[hdrs.ETAG] = etag(result, contract.schema_digest)
            if request.method in {hdrs.METH_GET, hdrs.METH_HEAD} and status < 300:  # RFC 9110, section 13.2.1
                conditions = request.headers
                if hdrs.IF_MATCH in conditions and is_refused(request, tag):
                    raise PreconditionFailedError
                if hdrs.IF_NONE_MATCH in conditions and is_known(request, tag):
                    return _with(head, web.Response(status=304, headers={hdrs.ETAG: tag}))
        if to_body is None or status in _WITHOUT_BODY:
            return _with(head, web.Response(status=status))
        response = web.Response(status=status, body=to_body(result), headers=headers)
        if location:
            response.headers[hdrs.LOCATION] = PATH_PARAMETERS.sub(
                lambda name: _quoted(_value_in_location(request, result, name[1])), location
            )
        if paged and result.next_cursor:
            response.headers[hdrs.LINK] = f'<{_with_cursor(request.rel_url, result.next_cursor)}>; rel="next"'
        return _with(head, response) if head else response

    return respond


def _value_in_location(request: web.Request, result: Any, name: str) -> object:
    return getattr(result, name) if hasattr(result, name) else request.match_info[name]


def _quoted(value: object) -> str:
    """Return a value as a segment of a path."""
    text = str(value)
    return text if _UNRESERVED.fullmatch(text) else quote(text, safe="")


def _with_cursor(url: URL, cursor: str) -> str:
    """Return the address of a request with another cursor."""
    if _PLAIN_QUERY.fullmatch(url.raw_query_string) and _UNRESERVED.fullmatch(cursor):  # saves half of the work of yarl
        others = [each for each in url.raw_query_string.split("&") if each and each.partition("=")[0] != "cursor"]
        return f"{url.raw_path}?{'&'.join([*others, f'cursor={cursor}'])}"
    return str(url.update_query(cursor=cursor).with_fragment(None))


def _response_itself(_: web.Request, result: Any, __: ResponseHead | None) -> web.StreamResponse:
    if not isinstance(result, web.StreamResponse):
        raise TypeError(f"The handler should return the response that it has made, and returns {type(result).__name__}")
    return result


def _serializer(contract: Contract) -> Callable[[Any], bytes] | None:
    if contract.result is None:
        return None
    if contract.as_it_is:
        return _as_it_is
    to_json = contract.result.serializer.to_json
    if contract.page:
        return page_json(contract.page, to_json)
    return row_json(contract.row, to_json) if contract.row else to_json


def _as_it_is(result: bytes | str) -> bytes:
    return result.encode() if isinstance(result, str) else result


def _with(head: ResponseHead | None, response: web.Response) -> web.Response:
    """Add what the handler has set.

    Raises:
        ValueError: a header cannot be sent.
    """
    if head:
        replace(response.headers, [*head.headers.items(), *((hdrs.SET_COOKIE, cookie) for cookie in head.cookies)])
    return response
