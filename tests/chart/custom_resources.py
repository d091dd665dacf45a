"""Validates custom resources against the schemas of their operators, as the API server does for a strict client."""

import os
from functools import cache
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from harness.definitions import KINDS, definition, go_is_here

Object = dict[str, Any]

__all__ = ["KINDS", "mistakes"]


def mistakes(custom_resource: Object) -> list[str]:
    """Return what the schema of the resource refuses. Its CEL rules are not evaluated.

    Skips the test where Go is missing, which downloads the schemas.
    """
    if not go_is_here():
        missing = "Go is not installed here: it downloads the definitions of custom resources"
        if "REQUIRE_GO" in os.environ:
            pytest.fail(missing)
        pytest.skip(missing)
    found = _validator(custom_resource["apiVersion"], custom_resource["kind"]).iter_errors(custom_resource)
    return [f"{each.json_path}: {each.message}" for each in found]


@cache
def _validator(api_version: str, kind: str) -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(_strict(definition(api_version, kind)))


def _strict(schema: Any) -> Any:
    """Return OpenAPI's schema as a JSON schema that refuses unknown fields, as a strict client's request does."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {
        key: {name: _strict(each) for name, each in value.items()} if key == "properties" else _strict(value)
        for key, value in schema.items()
        if key not in {"default", "example", "description"}
    }
    if schema.get("nullable") and isinstance(schema.get("type"), str):
        strict["type"] = [schema["type"], "null"]
    known = {"additionalProperties", "x-kubernetes-preserve-unknown-fields"}
    if schema.get("type") == "object" and "properties" in schema and not known & schema.keys():
        strict["additionalProperties"] = False
    return strict
