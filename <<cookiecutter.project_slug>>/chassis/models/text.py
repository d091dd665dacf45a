"""Text that clients send."""

from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, StringConstraints
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

from chassis.models.schema import replaced

WITHOUT_NUL = r"^[^\x00]*$"
_MARK = "chassis_text"


class _Marked:
    """Marks the schema of a `Text`, so that a model knows it when `Field(pattern=…)` has replaced its pattern."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema: Any = handler(source)
        return schema | {"metadata": {**schema.get("metadata", {}), _MARK: True}}  # type: ignore[no-any-return]


Text = Annotated[str, StringConstraints(pattern=WITHOUT_NUL), _Marked()]
"""A string without the NUL character, which PostgreSQL cannot store. `Field(pattern=…)` adds a rule to this one."""


def with_own_rules(schema: CoreSchema) -> CoreSchema:
    """Return the schema of a model whose fields of the type `Text` refuse NUL beside the patterns of their own."""
    return replaced(schema, "str", _with_own_rule)  # type: ignore[no-any-return]


class _OwnRules:
    """Keeps the rule of a `Text` in an annotation that is in no model: `TypeAdapter(Annotated[hint, OWN_RULES])`."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return with_own_rules(handler(source))


OWN_RULES = _OwnRules()


def _with_own_rule(schema: core_schema.StringSchema) -> CoreSchema:
    if schema.get("pattern") == WITHOUT_NUL or _MARK not in schema.get("metadata", {}):
        return schema
    return core_schema.no_info_after_validator_function(_refuse_nul, schema)


def _refuse_nul(text: str) -> str:
    if "\x00" in text:
        raise PydanticKnownError("string_pattern_mismatch", {"pattern": WITHOUT_NUL})
    return text
