"""The OpenAPI 3.1 document, generated from the routes and the signatures of their handlers."""

import inspect
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from itertools import groupby
from types import MappingProxyType
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from pydantic import BaseModel, Field, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from chassis import errors
from chassis.contract import Contract, HeaderParameter, Route, contract_of, is_json
from chassis.database import Database
from chassis.http.deprecation import deprecation_headers
from chassis.http.idempotency import HEADER, KEY
from chassis.http.problem_details import MEDIA_TYPE, ProblemType, ProblemTypes
from chassis.project import Project
from chassis.settings import Settings

_REFERENCES = "#/components/schemas/{model}"
_ETAGS = {"type": "string", "description": "entity tags, or *"}  # no pattern, as a malformed tag is not an error
_REQUEST_ID: dict[str, Any] = {"X-Request-ID": {"$ref": "#/components/headers/X-Request-ID"}}
_FORMS = {"multipart/form-data", "application/x-www-form-urlencoded"}
# A form whose fields are unknown here. aiohttp does not read a part whose name has certain characters.
_FORM = {"type": "object", "propertyNames": {"pattern": "^[A-Za-z0-9_.-]+$"}}
_NO_PARAMETERS = {"accept", "authorization", "content-type"}  # OpenAPI ignores them as parameters
_DEPRECATION = {
    "Deprecation": "Since when the operation is deprecated (RFC 9745).",
    "Sunset": "Until when it can be relied on (RFC 8594).",
}
_PROBLEM_HEADERS: dict[int, tuple[str, str]] = {
    HTTPStatus.UNAUTHORIZED: ("WWW-Authenticate", "What is asked for, and what is wrong with the token (RFC 6750)."),
    HTTPStatus.FORBIDDEN: ("WWW-Authenticate", "The scope that the token lacks (RFC 6750)."),
    HTTPStatus.SERVICE_UNAVAILABLE: ("Retry-After", "Seconds after which to try again."),
}


class ProblemError(BaseModel):
    """A wrong value of the request."""

    pointer: str = Field(default="", description="Where in the body (JSON Pointer).")
    parameter: str = Field(default="", description="Which parameter of the path or the query, or Idempotency-Key.")
    header: str = Field(default="", description="Which header.")
    detail: str = Field(description="The value's rule.")


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field(description="Identifies the kind of problem.", json_schema_extra={"format": "uri"})
    title: str
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="What was wrong and the way out.")
    request_id: str = Field(description="Finds the request in the service's log.")
    errors: list[ProblemError] = Field(default_factory=list, description="Every wrong value of the request.")


def check_names(routes: Sequence[Route]) -> None:
    """Raise a ValueError if two handlers have the same name, which is the operation's id."""
    names = [route.handler.__name__ for route in routes]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"Several handlers are called {twice}: they name the operations, so rename all but one")


def openapi_document(
    routes: Sequence[Route],
    project: Project,
    *,
    authentication: bool = True,
    errors: Mapping[type[Any], errors.Problem] = MappingProxyType({}),
) -> dict[str, Any]:
    """Make the OpenAPI document as dictionaries and lists.

    Args:
        routes: the operations of the API.
        project: its title, description and version.
        authentication: True if the API requires tokens.
        errors: how errors of the domain are answered: `Service.errors`.

    Raises:
        ValueError: two of the errors give one problem type different statuses.
    """
    contracts = [contract_of(route) for route in routes]
    types = ProblemTypes(errors)
    meanings = types.meanings()
    schemas, definitions = _schemas(contracts)
    paths: dict[str, dict[str, Any]] = {}
    responses: dict[str, Any] = {}
    used = dict.fromkeys(types)
    for route, contract in zip(routes, contracts, strict=True):
        secured = authentication and not route.public
        problems = _possible_problems(route, contract, secured, types)
        used.update(dict.fromkeys(kind for kinds in problems for kind in kinds))
        responses |= {_response_name(kinds): _problem_response(kinds) for kinds in problems}
        operation = _operation(route, contract, schemas, problems)
        if authentication:
            operation["security"] = [{"bearer": list(route.scopes)}] if secured else []
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    scheme = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "a token of the OIDC issuer"}
    return {
        "openapi": "3.1.0",
        "info": {"title": project.title, "version": project.version, "description": project.description},
        "paths": paths,
        "components": {
            "schemas": {**definitions, **_parameter_definitions(contracts), **_problem_schemas()},
            "responses": responses,
            "securitySchemes": {"bearer": scheme} if authentication else {},
            "headers": {"X-Request-ID": _header("Finds the request in the log.")},
            "examples": {kind.name: _example(kind, meanings.get(kind.name, f"{kind.title}.")) for kind in used},
        },
    }


def _schemas(contracts: Sequence[Contract]) -> tuple[dict[int, Any], dict[str, Any]]:
    """Return the schemas of bodies and results, by the id() of model or adapter, and their definitions."""
    inputs: list[tuple[int, JsonSchemaMode, Any]] = []
    for contract in contracts:
        if contract.body:
            inputs.append((id(contract.body[1]), "validation", contract.body[1].core_schema))
        if contract.result and not contract.as_it_is:
            inputs.append((id(contract.result), "serialization", contract.result.core_schema))
    found, definitions = GenerateJsonSchema(ref_template=_REFERENCES).generate_definitions(inputs)
    return {key: schema for (key, _), schema in found.items()}, {
        str(name): schema for name, schema in definitions.items()
    }


def _problem_schemas() -> dict[str, Any]:
    schema = Problem.model_json_schema(ref_template=_REFERENCES)
    return {**schema.pop("$defs"), "Problem": schema}


def _parameter_definitions(contracts: Sequence[Contract]) -> dict[str, Any]:
    """Return the definitions that parameters refer to, such as enums."""
    found: dict[str, Any] = {}
    for contract in contracts:
        if contract.query:
            found |= contract.query[1].model_json_schema(ref_template=_REFERENCES).get("$defs", {})
        for adapter in (*contract.path.values(), *(header.adapter for header in contract.headers.values())):
            found |= adapter.json_schema(ref_template=_REFERENCES).get("$defs", {})
    return found


def _operation(
    route: Route, contract: Contract, schemas: dict[int, Any], problems: Sequence[Sequence[ProblemType]]
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.handler.__name__,
        "summary": (inspect.getdoc(route.handler) or route.handler.__name__).partition("\n")[0],
        "tags": [route.handler.__module__.rpartition(".")[0].rpartition(".")[2]],
        "responses": {
            **_success(route, contract, schemas),
            **{
                str(int(kinds[0].status)): {"$ref": f"#/components/responses/{_response_name(kinds)}"}
                for kinds in problems
            },
        },
    }
    if parameters := [
        *_path_parameters(contract),
        *_query_parameters(contract),
        *_header_parameters(route, contract),
    ]:
        operation["parameters"] = parameters
    if contract.consumes:
        operation["requestBody"] = {
            "required": "*/*" not in contract.consumes,
            "content": {media_type: _media(media_type, contract, schemas) for media_type in contract.consumes},
        }
    if route.deprecated:
        operation["deprecated"] = True
    return operation


def _media(media_type: str, contract: Contract, schemas: dict[int, Any]) -> dict[str, Any]:
    if contract.body:
        return {"schema": schemas[id(contract.body[1])]}
    return {"schema": _FORM} if media_type in _FORMS else {}


def _path_parameters(contract: Contract) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": _parameter_schema(adapter)}
        for name, adapter in contract.path.items()
    ]


def _parameter_schema(adapter: TypeAdapter[Any]) -> dict[str, Any]:
    """Return the schema of one parameter."""
    schema: dict[str, Any] = adapter.json_schema(ref_template=_REFERENCES)
    schema.pop("$defs", None)
    return _without_null(schema)


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a parameter, which cannot be `null`."""
    if "default" in schema and schema["default"] is None:
        del schema["default"]
    choices = [choice for choice in schema.get("anyOf", []) if choice != {"type": "null"}]
    if len(choices) == 1:
        del schema["anyOf"]
        schema |= choices[0]
    return schema


def _query_parameters(contract: Contract) -> list[dict[str, Any]]:
    if not contract.query:
        return []
    schema = contract.query[1].model_json_schema(ref_template=_REFERENCES)
    for name, most in contract.repeated.items():
        schema["properties"][name].setdefault("maxItems", most)
    return [
        {"name": name, "in": "query", "required": name in schema.get("required", []), "schema": _without_null(rule)}
        for name, rule in schema["properties"].items()
    ]


def _header_parameters(route: Route, contract: Contract) -> list[dict[str, Any]]:
    found = [
        {"name": header.name, "in": "header", "required": header.required, "schema": _header_schema(header)}
        for header in contract.headers.values()
        if header.name.lower() not in _NO_PARAMETERS
    ]
    chassis = []
    if contract.if_match:
        chassis.append(("If-Match", _ETAGS, "of which the resource has to have one; it is not changed otherwise"))
    if contract.idempotent:
        rule = {"type": "string", "pattern": f"^({KEY})$"}
        chassis.append((HEADER, rule, "names this request: sent again with the same key, it is not carried out again"))
    if contract.versioned and route.method == "GET":
        text = "that the client has; the answer has no body if one of them is current"
        chassis.append(("If-None-Match", _ETAGS, text))
    return found + [{"name": name, "in": "header", "schema": rule, "description": text} for name, rule, text in chassis]


def _header_schema(header: HeaderParameter) -> dict[str, Any]:
    schema = _parameter_schema(header.adapter)
    if header.default is not None:
        schema["default"] = header.adapter.dump_python(header.default, mode="json")
    return schema


def _success(route: Route, contract: Contract, schemas: dict[int, Any]) -> dict[str, Any]:
    success: dict[str, Any] = {"description": "Done.", "headers": dict(_REQUEST_ID)}
    if contract.websocket:
        return {"101": {"description": "The connection is a WebSocket (RFC 6455) from now on."}}
    # A handler may set another status of success, or one that the route declares.
    others = [*map(str, route.statuses)] or (["2XX"] if contract.head else [])
    has_body = contract.result or contract.makes_response
    responses = dict.fromkeys([str(route.status if has_body else 204), *others], success)
    if contract.as_it_is:
        text = contract.as_it_is is str and not is_json(contract.produces)
        success["content"] = {contract.produces: {"schema": {"type": "string"}} if text else {}}
    elif contract.makes_response:
        success["content"] = {contract.produces: {}}
    elif contract.result:
        success["content"] = {contract.produces: {"schema": schemas[id(contract.result)]}}
    if route.location:
        success["headers"]["Location"] = _header("Where it is.")
    if contract.page:
        success["headers"]["Link"] = _header('The next page, as rel="next".')
    for name in deprecation_headers(route):
        success["headers"][name] = _header(_DEPRECATION[name])
    if contract.versioned:
        success["headers"]["ETag"] = _header("The version of the representation.")
        if route.method == "GET":
            responses["304"] = {
                "description": "Not Modified.",
                "headers": {**_REQUEST_ID, "ETag": success["headers"]["ETag"]},
            }
    return responses


def _problem_response(kinds: Sequence[ProblemType]) -> dict[str, Any]:
    headers = dict(_REQUEST_ID)
    if more := _PROBLEM_HEADERS.get(kinds[0].status):
        headers[more[0]] = _header(more[1])
    examples = {kind.name: {"$ref": f"#/components/examples/{kind.name}"} for kind in kinds}
    return {
        "description": f"{'; '.join(kind.title for kind in kinds)}.",
        "headers": headers,
        "content": {MEDIA_TYPE: {"schema": {"$ref": _REFERENCES.format(model="Problem")}, "examples": examples}},
    }


def _response_name(kinds: Sequence[ProblemType]) -> str:
    return "_".join(kind.name for kind in kinds)


def _header(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


def _possible_problems(
    route: Route, contract: Contract, authentication: bool, types: ProblemTypes
) -> list[tuple[ProblemType, ...]]:
    """Return the problem types that a route may respond with, grouped by status."""
    found = [errors.InvalidRequestError, errors.OverloadedError, errors.DeadlineExceededError, Exception]
    found += [web.HTTPBadRequest, web.HTTPExpectationFailed, LineTooLong, errors.RequestTimeoutError]
    needed = contract.resources.values()
    if Database in needed:
        found += [errors.DatabaseUnavailableError]
        if route.method != "GET":
            found += [errors.ConflictError]
    if any(each is not Database and not (isinstance(each, type) and issubclass(each, Settings)) for each in needed):
        found += [errors.DependencyUnavailableError]
    if contract.makes_response:
        found += [errors.ShuttingDownError]
    if authentication:
        found += [errors.UnauthorizedError, errors.DependencyUnavailableError]
        if route.scopes:
            found += [errors.ForbiddenError]
    if contract.idempotent:
        found += [errors.RequestInProgressError, errors.IdempotencyKeyReusedError]
    if contract.if_match:
        found += [errors.PreconditionRequiredError]
    if contract.if_match or (contract.versioned and route.method == "GET"):
        found += [errors.PreconditionFailedError]
    if contract.consumes or (contract.request and route.method != "GET"):
        found += [errors.MalformedBodyError, errors.UnsupportedMediaTypeError, web.HTTPRequestEntityTooLarge]
    kinds = sorted({*map(types.of, found), *map(types.of_route, route.raises)})
    return [tuple(group) for _, group in groupby(kinds, key=lambda kind: kind.status)]


def _example(kind: ProblemType, meaning: str) -> dict[str, Any]:
    example: dict[str, Any] = {
        "type": kind.type,
        "title": kind.title,
        "status": int(kind.status),
        "detail": meaning,
        "request_id": "0af7651916cd43dd8448eb211c80319c",
    }
    if kind.name == "invalid-request":
        example["errors"] = [{"pointer": "#/name", "detail": "String should have at least 1 character"}]
    return {"summary": meaning, "value": example}
