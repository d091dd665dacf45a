"""Typed handlers: a function's signature is the contract of its route.

A handler is a plain function. Its parameters say what it needs and its annotations say what that must look like:

- a name that stands in the route's path is that path value;
- a parameter whose annotation is a `Query` model is the query string, one whose annotation is a `Body` model is the
  JSON body;
- `IfMatch` is the precondition of a write, `Caller` is who sends the request;
- any other annotation is something the service gives its handlers: its `Database`, its `Settings` or its
  `ClientSession` for calls to other services.

What it returns is the answer's body; None is an answer without one.
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

NAMES = re.compile(r"{(\w+)}")
"""Finds the names in a path such as `/v1/items/{item_id}`."""


@dataclass(frozen=True)
class Route:
    """One operation of the API.

    Attributes:
        method: the HTTP method; GET answers HEAD too.
        path: the path, with `{name}` for each value that the handler takes from it.
        handler: the typed handler.
        status: the status of a success.
        location: the path of what was made, with `{name}` for fields of the handler's result.
        scopes: what the caller's token has to allow, all of it, where tokens are asked for.
        raises: the domain's errors that the handler may raise, for the OpenAPI document.
    """

    method: str
    path: str
    handler: Callable[..., Awaitable[Any]]
    status: int = 200
    location: str | None = None
    scopes: tuple[str, ...] = ()
    raises: tuple[type[Exception], ...] = ()


class Contract:
    """What a route's handler says about itself.

    Attributes:
        path: an adapter for each value in the path, by name.
        query: the parameter for the query string and its model, if any.
        body: the parameter for the body and its model, if any.
        if_match: the parameter for the precondition, if any.
        caller: the parameter for who sends the request, if any.
        given: the other parameters and their types.
        idempotent: the parameter for the database of a POST or PATCH, which an idempotency key keeps from a second run.
        result: an adapter for what the handler returns; None where it returns nothing.
        versioned: whether what it returns has an entity tag.
        paged: whether that is a page of a list.
        form: a digest of how that is written.

    Raises:
        TypeError: the signature leaves something open; the message names the handler and the parameter.
    """

    def __init__(self, route: Route) -> None:
        name = f"{route.handler.__module__}.{route.handler.__qualname__}"
        hints = get_type_hints(route.handler, include_extras=True)
        in_path = set(NAMES.findall(route.path))
        self.path: dict[str, TypeAdapter[Any]] = {}
        self.query: tuple[str, type[Query]] | None = None
        self.body: tuple[str, type[Body]] | None = None
        self.if_match: str | None = None
        self.caller: str | None = None
        self.given: dict[str, type] = {}
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
                self.given[parameter] = hint
        if missing := in_path - self.path.keys():
            raise TypeError(f"{name}: the path {route.path} has values it does not take: {sorted(missing)}")
        databases = (name for name, hint in self.given.items() if hint is Database)
        self.idempotent = next(databases, None) if route.method in {hdrs.METH_POST, hdrs.METH_PATCH} else None
        if "return" not in hints:
            raise TypeError(f"{name}: annotate what it returns, it is the answer's body")
        returns = hints["return"]
        self.result: TypeAdapter[Any] | None = None if returns is type(None) else TypeAdapter(returns)
        origin = get_origin(returns) or returns
        model: type = origin if isinstance(origin, type) else object
        self.versioned, self.paged = issubclass(model, Versioned), issubclass(model, Page)
        schema = self.result.json_schema(mode="serialization") if self.result else {}
        self.form = blake2b(json.dumps(schema, sort_keys=True).encode(), digest_size=3).hexdigest()


@cache
def contract_of(route: Route) -> Contract:
    """The contract of a route, made once.

    Raises:
        TypeError: as `Contract` does.
    """
    return Contract(route)
