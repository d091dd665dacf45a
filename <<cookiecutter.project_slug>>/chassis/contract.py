"""Typed handlers: the signature of a handler is the contract of its route.

    async def replace_item(item_id: Id, if_match: IfMatch, body: ItemFields, database: Database) -> Item: ...

    ROUTES = [Route("PUT", "/v1/items/{item_id}", replace_item, raises=(NotFoundError,))]

The name or the annotation of a parameter decides its value:

- a name in the route's path: the path parameter;
- a `Query` model: the query string; a `Body` model: the JSON body;
- `IfMatch`: the precondition of a write; `Caller`: the caller of the request;
- `Database`, `Settings`, `ClientSession`: the service's database, its settings, its client for other services.

The result is the response's body; a handler that returns None sends a response without a body.
"""

import inspect
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from typing import Any, get_origin, get_type_hints

from aiohttp import hdrs
from pydantic import TypeAdapter

from chassis.caller import Caller
from chassis.conditional import IfMatch, Versioned
from chassis.database import Database
from chassis.models import Body, Query
from chassis.pagination import Page

PATH_PARAMETERS = re.compile(r"{(\w+)}")
"""Matches each parameter in a path such as `/v1/items/{item_id}`."""

NAMES = PATH_PARAMETERS
"""`PATH_PARAMETERS` by its name up to release 0.2."""


@dataclass(frozen=True)
class Route:
    """One operation of the API.

    Attributes:
        method: the HTTP method; GET also answers HEAD.
        path: the path, with `{name}` for each path parameter of the handler.
        handler: the typed handler.
        status: the status of a successful response with a body.
        location: the path of the created resource, with `{name}` for fields of the handler's result.
        scopes: the scopes that the caller's token must have, all of them, if OIDC_ISSUER is set.
        raises: the domain errors that the handler may raise, for the OpenAPI document.
    """

    method: str
    path: str
    handler: Callable[..., Awaitable[Any]]
    status: int = 200
    location: str | None = None
    scopes: tuple[str, ...] = ()
    raises: tuple[type[Exception], ...] = ()


class Contract:
    """The contract of a route, from the signature of its handler.

    Args:
        route: the route.

    Attributes:
        path: the type adapters of the path parameters, by name.
        query: the name and the model of the parameter for the query string, if any.
        body: the name and the model of the parameter for the body, if any.
        if_match: the name of the parameter for the precondition, if any.
        caller: the name of the parameter for the caller, if any.
        resources: the types of the other parameters, by name.
        idempotent: the name of the database parameter, if the route supports Idempotency-Key: POST and PATCH do.
        result: the type adapter of the result; None if the handler returns None.
        versioned: True if the result has an entity tag.
        paged: True if the result is a page of a list.
        schema_digest: a digest of the result's JSON schema.

    Raises:
        TypeError: an annotation or a path parameter is missing; the message names the handler and the parameter.
    """

    def __init__(self, route: Route) -> None:
        name = f"{route.handler.__module__}.{route.handler.__qualname__}"
        hints = get_type_hints(route.handler, include_extras=True)
        in_path = set(PATH_PARAMETERS.findall(route.path))
        self.path: dict[str, TypeAdapter[Any]] = {}
        self.query: tuple[str, type[Query]] | None = None
        self.body: tuple[str, type[Body]] | None = None
        self.if_match: str | None = None
        self.caller: str | None = None
        self.resources: dict[str, type] = {}
        for parameter in inspect.signature(route.handler).parameters:
            if parameter not in hints:
                raise TypeError(f"{name}: annotate the parameter {parameter!r}, its type is the contract")
            hint = hints[parameter]
            if parameter in in_path:
                self.path[parameter] = TypeAdapter(hint)
            elif isinstance(hint, type) and issubclass(hint, Query):
                self.query = parameter, hint
            elif isinstance(hint, type) and issubclass(hint, Body):
                self.body = parameter, hint
            elif hint is IfMatch:
                self.if_match = parameter
            elif hint is Caller:
                self.caller = parameter
            else:
                self.resources[parameter] = hint
        if missing := in_path - self.path.keys():
            raise TypeError(f"{name}: the path {route.path} has values it does not take: {sorted(missing)}")
        databases = (name for name, hint in self.resources.items() if hint is Database)
        self.idempotent = next(databases, None) if route.method in {hdrs.METH_POST, hdrs.METH_PATCH} else None
        if "return" not in hints:
            raise TypeError(f"{name}: annotate what it returns, it is the answer's body")
        returns = hints["return"]
        self.result: TypeAdapter[Any] | None = None if returns is type(None) else TypeAdapter(returns)
        origin = get_origin(returns) or returns
        model: type = origin if isinstance(origin, type) else object
        self.versioned, self.paged = issubclass(model, Versioned), issubclass(model, Page)
        schema = self.result.json_schema(mode="serialization") if self.result else {}
        self.schema_digest = blake2b(json.dumps(schema, sort_keys=True).encode(), digest_size=3).hexdigest()


@cache
def contract_of(route: Route) -> Contract:
    """Return the contract of a route, which is made once.

    Raises:
        TypeError: an annotation or a path parameter is missing, as for `Contract`.
    """
    return Contract(route)
