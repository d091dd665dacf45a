"""Typed handlers: the signature of a handler is the contract of its route.

    async def replace_item(item_id: Id, if_match: IfMatch, body: ItemFields, database: Database) -> Item: ...

    ROUTES = [Route("PUT", "/v1/items/{item_id}", replace_item, raises=(NotFoundError,))]

The name or the annotation of a parameter decides its value:

- a name in the route's path: the path parameter;
- a `Query` model: the query string; `bytes`: the body as it is;
- a `Body` model: the JSON body; `Patch[…]` of one: some of its fields; `Annotated[list[…], Field(max_length=1000)]` of
  one: an array of them;
- `Annotated[str, Header()]`: a header; `web.Request`: aiohttp's request;
- `IfMatch`: the precondition of a write; `Caller`: the caller of the request;
- `ResponseHead`: what the handler adds to the response, such as a header or a cookie;
- `Database`, `Settings`, `ClientSession`, the type of a resource: what the service has.

The result is the response's body; a handler that returns None sends a response without a body. A handler that returns
one of aiohttp's responses, `-> web.StreamResponse`, sends what it likes: a file, an export, events, a WebSocket.
"""

import inspect
import json
import math
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from functools import cache
from hashlib import blake2b
from http.cookies import SimpleCookie
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from aiohttp import hdrs, web
from multidict import CIMultiDict
from pydantic import BaseModel, TypeAdapter

from chassis.caller import Caller
from chassis.conditional import IfMatch, Versioned
from chassis.database import Database
from chassis.models import Body, Patch, Query, Row
from chassis.models.text import OWN_RULES
from chassis.pagination import Page

PATH_PARAMETERS = re.compile(r"{(\w+)}")
"""Matches each parameter in a path such as `/v1/items/{item_id}`."""

NAMES = PATH_PARAMETERS
"""`PATH_PARAMETERS` by its name up to release 0.2."""


_NAME_OF_HEADER = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # RFC 9110, section 5.6.2
_MEDIA_TYPE = re.compile(rf"{_NAME_OF_HEADER}/{_NAME_OF_HEADER}")  # its parts are tokens, too
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_JSON = "application/json"
_MERGE_PATCH = "application/merge-patch+json"  # RFC 7396
_MAX_VALUES = 100  # of a query parameter that may be repeated
_WHOLE = {"body_bytes", "in_flight"}


@dataclass(frozen=True)
class Header:
    """Marks a parameter as a header: `x_signature: Annotated[str, Header()]` is `X-Signature`.

    A header that is missing, malformed or given twice is a 422. A parameter with a default value is optional.

    Attributes:
        name: the header's name; if empty, the parameter's, with dashes.
    """

    name: str = ""


@dataclass(frozen=True)
class HeaderParameter:
    """A header that a handler takes.

    Attributes:
        name: the header's name.
        adapter: validates its value.
        required: True if the parameter has no default value.
        default: the default value.
    """

    name: str
    adapter: TypeAdapter[Any]
    required: bool
    default: Any


class ResponseHead:
    """What a handler adds to its response: `async def log_in(body: Login, head: ResponseHead) -> Session`.

    The result is still the response's body. A header replaces the one of the same name that the chassis would send.

        head.status = 202
        head.headers["Cache-Control"] = "no-store"
        head.set_cookie("session", session.key, max_age=3600)

    Attributes:
        headers: the headers; `add` sends several of one name. A value with a line break makes the response a 500.
    """

    def __init__(self) -> None:
        self.headers = CIMultiDict[str]()
        self._status: int | None = None
        self._cookies: dict[tuple[str, str, str], str] = {}

    @property
    def status(self) -> int | None:
        """The status of the response; None for that of the route. Raise an error for one of 400 and more."""
        return self._status

    @status.setter
    def status(self, status: int) -> None:
        if not 200 <= status <= 599:
            raise ValueError(f"The status {status} is none that a response can have: use one from 200 to 599")
        self._status = int(status)

    @property
    def cookies(self) -> list[str]:
        """The values of `Set-Cookie`, one for each cookie."""
        return list(self._cookies.values())

    def set_cookie(
        self,
        name: str,
        value: str,
        *,
        max_age: int | None = None,
        path: str = "/",
        domain: str = "",
        secure: bool = True,
        httponly: bool = True,
        samesite: Literal["Strict", "Lax", "None"] = "Lax",
    ) -> None:
        """Set a cookie (RFC 6265). Scripts do not see it, and other sites' forms do not send it, unless you say so.

        Args:
            name: the cookie's name.
            value: any text; characters that a cookie cannot have are quoted, as Python's `http.cookies` and aiohttp do.
            max_age: in seconds; None for a cookie that ends with the browser.
            path: below which the browser sends the cookie.
            domain: which may see it, with its subdomains; empty for this host alone.
            secure: whether the browser sends the cookie by HTTPS alone. Browsers take `localhost` for HTTPS.
            httponly: whether the cookie is hidden from scripts.
            samesite: whether requests from other sites have the cookie.

        Raises:
            ValueError: the path or the domain cannot be in a cookie.
            http.cookies.CookieError: the name cannot be a cookie's.
        """
        for part in (path, domain):
            if not re.fullmatch(r"[ -:<-~]*", part):
                raise ValueError(f"The cookie {name} cannot have a path or a domain with a semicolon or a line break")
        if samesite not in {"Strict", "Lax", "None"} or not isinstance(max_age, int | None):
            raise ValueError(f"The cookie {name}: samesite should be Strict, Lax or None, and max_age whole seconds")
        cookie = SimpleCookie()
        cookie[name] = value
        attributes: dict[str, str | bool] = {
            "path": path,
            "domain": domain,
            "secure": secure,
            "httponly": httponly,
            "samesite": samesite,
            "max-age": "" if max_age is None else str(max_age),
        }
        for key, given in attributes.items():
            if given:
                cookie[name][key] = given
        self._cookies[name, domain, path] = cookie[name].OutputString()

    def delete_cookie(self, name: str, *, path: str = "/", domain: str = "") -> None:
        """Have the browser delete a cookie.

        Args:
            name: the cookie's name.
            path: as it was set.
            domain: as it was set.
        """
        self.set_cookie(name, "", max_age=0, path=path, domain=domain)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of one route, in place of the service's: `Limits(body_bytes=50 * 1024**2, body_seconds=600)`.

    Durations are in seconds. None stands for the setting that is named.

    Attributes:
        body_bytes: the largest body, as sent and after decompression, and the largest message of a WebSocket:
            MAX_BODY_BYTES.
        body_seconds: the longest time for the body to arrive; None for the deadline. A body that is slower than
            BODY_MIN_BYTES_PER_SECOND is given up before.
        deadline_seconds: from the head of the request to the head of the response: REQUEST_TIMEOUT_SECONDS, after
            `body_seconds` if that is given. At a shutdown, requests have REQUEST_TIMEOUT_SECONDS in any case.
        in_flight: how many requests of the route each process answers at a time, those included whose bodies are
            arriving; None for no limit beside MAX_IN_FLIGHT.
        idle_seconds: how long a stream may carry no byte: STREAM_IDLE_TIMEOUT_SECONDS.
        send_seconds: how long the client of a stream may read nothing: STREAM_SEND_TIMEOUT_SECONDS.

    Raises:
        ValueError: a limit is no number of more than 0.
    """

    body_bytes: int | None = None
    body_seconds: float | None = None
    deadline_seconds: float | None = None
    in_flight: int | None = None
    idle_seconds: float | None = None
    send_seconds: float | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            kind: Any = int if name in _WHOLE else int | float
            if value is not None and (
                isinstance(value, bool) or not isinstance(value, kind) or not 0 < value < math.inf
            ):
                number = "a whole number" if name in _WHOLE else "a number"
                raise ValueError(f"Limits: {name} should be {number} of more than 0, and is {value!r}")


@dataclass(frozen=True)
class Route:
    """One operation of the API.

    Attributes:
        method: the HTTP method; GET also answers HEAD.
        path: the path, with `{name}` for each path parameter of the handler.
        handler: the typed handler.
        status: the status of a successful response with a body.
        location: the path of the created resource, with `{name}` for fields of the handler's result, and for path
            parameters of the route that are no such fields.
        scopes: the scopes that the caller's token must have, all of them, if OIDC_ISSUER is set.
        raises: the domain errors that the handler may raise, for the OpenAPI document.
        consumes: the media types of the request's body, by default `("application/json",)`, or
            `("application/merge-patch+json", "application/json")` for a `Patch`. A handler that takes `bytes` has no
            default; `*/*` stands for all, and `image/*` for all images. Another one is a 415.
        produces: the media type of the response's body. With it, a result that is `bytes` or `str` is sent as it is.
            For a handler that returns a response of aiohttp's, it stands in the OpenAPI document alone.
        public: True if the route asks for no token, even if OIDC_ISSUER is set.
        statuses: further statuses that the handler sets by its `ResponseHead`, for the OpenAPI document.
        deprecated: the last day on which the route can be relied on, such as `2027-06-30`. The responses then have the
            headers `Deprecation` and `Sunset`, and the calls are counted.
        deprecated_since: the first day on which the route is or was deprecated; if empty, some day in the past.
        limits: limits of the route in place of the service's.
        ends_with_token: True if a stream of the route ends when the token of its caller expires. Otherwise it goes on:
            a token is checked when the stream begins, and not again.

    Raises:
        ValueError: one of the values breaks its rule; the message names the route and says what to write.
    """

    method: str
    path: str
    handler: Callable[..., Awaitable[Any]]
    status: int = 200
    location: str | None = None
    scopes: tuple[str, ...] = ()
    raises: tuple[type[Exception], ...] = ()
    consumes: tuple[str, ...] = ()
    produces: str | None = None
    public: bool = False
    statuses: tuple[int, ...] = ()
    deprecated: str | None = None
    deprecated_since: str = ""
    limits: Limits = Limits()
    ends_with_token: bool = False

    def __post_init__(self) -> None:
        name = f"Route {self.method} {self.path}"
        if isinstance(self.consumes, str) or not all(map(_MEDIA_TYPE.fullmatch, self.consumes)):
            raise ValueError(f'{name}: consumes should be media types, such as consumes=("application/json",)')
        if self.produces is not None and (not _MEDIA_TYPE.fullmatch(self.produces) or "*" in self.produces):
            raise ValueError(f'{name}: produces should be one media type without parameters, such as "text/csv"')
        if isinstance(self.scopes, str) or isinstance(self.raises, type):
            raise ValueError(f'{name}: scopes and raises should be tuples, such as scopes=("orders:read",)')
        if self.public and self.scopes:
            raise ValueError(f"{name}: a public route asks for no token, so it has no scopes; remove one of the two")
        if self.public and self.ends_with_token:
            raise ValueError(f"{name}: a public route asks for no token, so its streams cannot end with one")
        if not all(200 <= status <= 599 for status in self.statuses):
            raise ValueError(f"{name}: statuses should be from 200 to 599")
        for day in (self.deprecated, self.deprecated_since):
            if day and not _day(day):
                raise ValueError(f'{name}: {day!r} is no day; write deprecated="2027-06-30"')
        if self.deprecated == "" or (self.deprecated_since and not self.deprecated):
            raise ValueError(f'{name}: say until when it can be relied on: deprecated="2027-06-30"')
        if self.since and self.sunset and self.since > self.sunset:
            raise ValueError(f"{name}: deprecated_since is after deprecated, the last day; exchange the two")

    @property
    def sunset(self) -> date | None:
        """The last day on which the route can be relied on, if it is deprecated."""
        return _day(self.deprecated)

    @property
    def since(self) -> date | None:
        """The first day on which the route is deprecated, if that is known."""
        return _day(self.deprecated_since)


def _day(text: str | None) -> date | None:
    """Return the day that a text such as `2027-06-30` names, or None."""
    try:
        return date.fromisoformat(text) if isinstance(text, str) and _DAY.fullmatch(text) else None
    except ValueError:
        return None


class Contract:
    """The contract of a route, from the signature of its handler.

    Args:
        route: the route.

    Attributes:
        path: the type adapters of the path parameters, by name.
        query: the name and the model of the parameter for the query string, if any.
        repeated: the query parameters that may be given several times, by the number of values that each may have.
        headers: the headers that are parameters, by the parameter's name.
        body: the name of the parameter for the JSON body and its type adapter, if any.
        raw_body: the name of the parameter for the body as it is, if any.
        consumes: the media types of the body; empty if the route takes none.
        request: the name of the parameter for aiohttp's request, if any.
        head: the name of the parameter for the response's head, if any.
        if_match: the name of the parameter for the precondition, if any.
        caller: the name of the parameter for the caller, if any.
        resources: the types of the other parameters, by name.
        reads_body: True if the handler reads the body itself, from aiohttp's request.
        makes_response: True if the handler returns a response of aiohttp's.
        websocket: True if that is a WebSocket.
        idempotent: the name of the database parameter, if the route supports Idempotency-Key: POST and PATCH do, unless
            the handler reads the body or makes the response itself.
        result: the type adapter of the result; None if the handler returns None or a response of aiohttp's.
        produces: the media type of the response's body.
        as_it_is: the result's type, `bytes` or `str`, if the result is the body.
        row: the class of the result if it is a row of the database; else None.
        versioned: True if the result has an entity tag.
        page: the class of the result if it is a page of a list, such as `Page[Item]`; else None.
        paged: True if the result is a page of a list.
        schema_digest: a digest of the result's JSON schema.

    Raises:
        TypeError: an annotation or a path parameter is missing, the location has a name that neither the result nor the
            path has, or the route does not say which body the handler takes or returns; the message names the handler
            and the parameter.
        ValueError: a header has no valid name.
    """

    def __init__(self, route: Route) -> None:
        name = f"{route.handler.__module__}.{route.handler.__qualname__}"
        hints = get_type_hints(route.handler, include_extras=True)
        in_path = set(PATH_PARAMETERS.findall(route.path))
        self.path: dict[str, TypeAdapter[Any]] = {}
        self.query: tuple[str, type[Query]] | None = None
        self.body: tuple[str, TypeAdapter[Any]] | None = None
        patches = False
        self.headers: dict[str, HeaderParameter] = {}
        self.raw_body: str | None = None
        self.request: str | None = None
        self.head: str | None = None
        self.if_match: str | None = None
        self.caller: str | None = None
        self.resources: dict[str, type] = {}
        for parameter, declared in inspect.signature(route.handler).parameters.items():
            if parameter not in hints:
                raise TypeError(f"{name}: annotate the parameter {parameter!r}, its type is the contract")
            hint = hints[parameter]
            if parameter in in_path:
                self.path[parameter] = _value_adapter(hint)
            elif header := _header(hint):
                self.headers[parameter] = _header_parameter(name, header, hint, declared)
            elif isinstance(hint, type) and issubclass(hint, Query):
                self.query = parameter, hint
            elif _is_json_body(hint):
                self.body = parameter, _body_adapter(name, parameter, hint)
                patches = get_origin(hint) is Patch
            elif hint is bytes:
                self.raw_body = parameter
            elif hint is web.Request:
                self.request = parameter
            elif hint is ResponseHead:
                self.head = parameter
            elif hint is IfMatch:
                self.if_match = parameter
            elif hint is Caller:
                self.caller = parameter
            else:
                self.resources[parameter] = hint
        if missing := in_path - self.path.keys():
            raise TypeError(f"{name}: the path {route.path} has values it does not take: {sorted(missing)}")
        self.repeated = _repeated(self.query[1]) if self.query else {}
        json_types = (_MERGE_PATCH, _JSON) if patches else (_JSON,)
        self.consumes = tuple(map(str.lower, route.consumes)) or (json_types if self.body else ())
        if self.body and self.raw_body:
            raise TypeError(f"{name}: there is one body, so take {self.body[0]!r} or {self.raw_body!r}")
        if self.raw_body and not self.consumes:
            raise TypeError(
                f"{name}: say which media types the parameter {self.raw_body!r} has: "
                'Route(…, consumes=("application/json",)), or "*/*" for any'
            )
        if self.consumes and not (self.body or self.raw_body or self.request):
            raise TypeError(f"{name}: the route has consumes=…, but no parameter takes a body")
        self.reads_body = bool(self.consumes and not (self.body or self.raw_body))
        if "return" not in hints:
            raise TypeError(f"{name}: annotate what it returns, it is the answer's body")
        returns = hints["return"]
        responses = [each for each in get_args(returns) or (returns,) if isinstance(each, type)]
        self.makes_response = bool(responses) and all(issubclass(each, web.StreamResponse) for each in responses)
        self.websocket = self.makes_response and all(issubclass(each, web.WebSocketResponse) for each in responses)
        if self.makes_response and self.head:
            raise TypeError(f"{name}: it makes the response itself, so set its headers there, without {self.head!r}")
        if self.makes_response and not (self.websocket or route.produces):
            raise TypeError(f'{name}: say which media type the response has: Route(…, produces="text/csv")')
        databases = (name for name, hint in self.resources.items() if hint is Database)
        repeatable = route.method in {hdrs.METH_POST, hdrs.METH_PATCH} and not (self.reads_body or self.makes_response)
        self.idempotent = next(databases, None) if repeatable else None
        without_body = self.makes_response or returns is type(None)
        self.result: TypeAdapter[Any] | None = None if without_body else TypeAdapter(returns)
        origin = get_origin(returns) or returns
        model: type = origin if isinstance(origin, type) else object
        self.row: type[Row] | None = model if issubclass(model, Row) else None
        self.versioned = issubclass(model, Versioned)
        if issubclass(model, BaseModel) and (unknown := _unknown_in_location(route, in_path, model)):
            raise TypeError(
                f"{name}: the location {route.location} has {sorted(unknown)}; name fields of {model.__name__}, or "
                f"path parameters of {route.path}"
            )
        self.page: type[Page[Any]] | None = model if issubclass(model, Page) else None
        self.paged = bool(self.page)
        self.as_it_is: type | None = returns if route.produces and returns in (bytes, str) else None
        self.produces = route.produces or _JSON
        if not (self.as_it_is or self.makes_response or is_json(self.produces)):
            raise TypeError(f"{name}: it should return bytes or str, of the media type {self.produces}")
        schema = self.result.json_schema(mode="serialization") if self.result else {}
        self.schema_digest = blake2b(json.dumps(schema, sort_keys=True).encode(), digest_size=3).hexdigest()


def _unknown_in_location(route: Route, in_path: set[str], model: type[BaseModel]) -> set[str]:
    """Return the names in the location of a route that neither its path nor its result has."""
    names = set(PATH_PARAMETERS.findall(route.location or "")) - in_path - model.model_fields.keys()
    return {name for name in names if not hasattr(model, name)}


def _header(hint: Any) -> Header | None:
    if get_origin(hint) is not Annotated:
        return None
    marks = (Header() if mark is Header else mark for mark in get_args(hint)[1:])
    return next((mark for mark in marks if isinstance(mark, Header)), None)


def _header_parameter(function: str, header: Header, hint: Any, declared: inspect.Parameter) -> HeaderParameter:
    name = header.name or declared.name.replace("_", "-").title()
    if not re.fullmatch(_NAME_OF_HEADER, name):
        raise ValueError(f'{function}: {name!r} is no name of a header; write Header("X-Signature"), for example')
    required = declared.default is inspect.Parameter.empty
    return HeaderParameter(name, _value_adapter(hint), required, None if required else declared.default)


def _value_adapter(hint: Any) -> TypeAdapter[Any]:
    """Return what validates a path parameter or a header."""
    return TypeAdapter(Annotated[hint, OWN_RULES])


def _is_json_body(hint: Any) -> bool:
    """Return True for a `Body` model, a `Patch` of one, and a list of them."""
    hint = _plain(hint)
    if get_origin(hint) is list:
        [hint] = get_args(hint)
    return (isinstance(hint, type) and issubclass(hint, Body)) or Patch in (hint, get_origin(hint))


def _body_adapter(function: str, parameter: str, hint: Any) -> TypeAdapter[Any]:
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(hint)
    except TypeError as error:
        raise TypeError(f"{function}: the parameter {parameter!r}: {error}") from None
    if get_origin(_plain(hint)) is list and "maxItems" not in adapter.json_schema():
        raise TypeError(
            f"{function}: say how many objects the array {parameter!r} may have, as "
            "Annotated[list[…], Field(min_length=1, max_length=1000)]"
        )
    return adapter


def _repeated(model: type[Query]) -> dict[str, int]:
    """Return the parameters of a query model whose types are lists, and how many values each may have."""
    schemas = model.model_json_schema()["properties"]
    found = {}
    for field_name, field in model.model_fields.items():
        name = field.validation_alias if isinstance(field.validation_alias, str) else field_name
        hint = field.annotation
        if any(get_origin(_plain(choice)) is list for choice in (hint, *get_args(hint))):  # `list[str] | None` as well
            found[name] = schemas[name].get("maxItems", _MAX_VALUES)
    return found


def _plain(hint: Any) -> Any:
    """Return a type without the marks of `Annotated`."""
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def is_json(media_type: str) -> bool:
    """Return True for `application/json`, and for `application/geo+json` and the like."""
    return media_type == _JSON or media_type.endswith("+json")


@cache
def contract_of(route: Route) -> Contract:
    """Return the contract of a route, which is made once.

    Raises:
        TypeError: an annotation or a path parameter is missing, as for `Contract`.
    """
    return Contract(route)
