"""UUIDs, references, JSON and lists."""

import re
from uuid import UUID

from chassis.development.resource.types.base import (
    Default,
    FieldTypeError,
    Type,
    merged,
    of_models,
    quoted,
    refuse_arguments,
)

_LONGEST_LIST = 100
_OF_UUID = merged({"uuid": frozenset({"UUID"})}, of_models("Uuid"))


def uuid_type(arguments: list[str]) -> Type:
    """Make `uuid`."""
    refuse_arguments(arguments)

    def default(written: str) -> Default:
        try:
            text = str(UUID(written))
        except ValueError:
            raise FieldTypeError("should have a UUID as its default") from None
        return Default(f'UUID("{text}")', quoted(text), f'"{text}"')

    return Type(
        annotation="Uuid",
        stored="UUID",
        imports=_OF_UUID,
        column="uuid",
        one='"0b9ad1d5-9d39-4ab7-8c8e-6b8f0c1a2b3c"',
        other='"5d1f6a1e-3f5b-4a86-9a0e-2f7c5b9d8e01"',
        wrong=(('"0b9ad1d5"', ""), ('"0b9ad1d59d394ab78c8e6b8f0c1a2b3c"', ""), ("1", "")),
        default=default,
        unique='f"00000000-0000-4000-8000-{number:012}"',
    )


def ref_type(arguments: list[str]) -> Type:
    """Make `ref(customers)`, for a table whose key is a bigint."""
    if len(arguments) != 1 or not re.fullmatch("[a-z][a-z0-9_]*", arguments[0]):
        raise FieldTypeError("should have a table in parentheses, as in ref(customers)")
    return Type(
        annotation="Id",
        stored="int",
        imports=of_models("Id"),
        column="bigint",
        wrong=(('"x"', ""), ("0", "")),
        table=arguments[0],
    )


def ref_to_uuid(table: str) -> Type:
    """Make a reference to a table whose key is a UUID."""
    return Type(
        annotation="Uuid", stored="UUID", imports=_OF_UUID, column="uuid", wrong=(('"x"', ""), ("1", "")), table=table
    )


def json_type(arguments: list[str]) -> Type:
    """Make `json`."""
    refuse_arguments(arguments)

    def default(written: str) -> Default:
        if written not in {"{}", "[]"}:
            raise FieldTypeError("should have the default {} or []")
        return Default(written, quoted(written), written)

    return Type(
        annotation="Json",
        stored="StoredJson",
        imports=of_models("Json", "StoredJson"),
        column="jsonb",
        one='{"a": [1, None]}',
        other="[]",
        wrong=(('{"a": ["\\x00"]}', "/a/0"),),
        extreme=('"text"', "0.1", "True", "{}"),
        default=default,
        indexed=False,
        dumped=True,
    )


def list_type(of: Type) -> Type:
    """Make `list(…)` of a type."""
    each, imports = of.annotation, of.imports
    if of.rules:
        each = f"Annotated[{each}, Field({', '.join(of.rules)})]"
        imports = merged(imports, {"typing": frozenset({"Annotated"}), "pydantic": frozenset({"Field"})})
    conditions = [f"cardinality({{name}}) <= {_LONGEST_LIST}", "array_position({name}, NULL) IS NULL"]
    if of.words:
        conditions.append(f"{{name}} <@ ARRAY[{', '.join(map(quoted, of.words))}]")

    def default(written: str) -> Default:
        if written != "[]":
            raise FieldTypeError("should have the default []")
        return Default("[]", "'{}'", "[]")

    return Type(
        annotation=f"list[{each}]",
        rules=(f"max_length={_LONGEST_LIST}",),
        stored=f"list[{of.stored}]",
        imports=imports,
        column=f"{of.column}[]",
        check=" AND ".join(conditions),
        broken=f"ARRAY[NULL]::{of.column}[]",
        one=f"[{of.one}]",
        other=f"[{of.one}, {of.other}]",
        wrong=(
            (of.one, ""),
            ("[None]", "/0"),
            *((f"[{of.one}, {value}]", f"/1{into}") for value, into in of.wrong),
            (f"[{of.one}] * {_LONGEST_LIST + 1}", ""),
        ),
        extreme=("[]", f"[{of.one}] * {_LONGEST_LIST}"),
        default=default,
        listed=True,
        words=of.words,
    )
