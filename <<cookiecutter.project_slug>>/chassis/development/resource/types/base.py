"""What the generator knows of a type."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Imports = Mapping[str, frozenset[str]]
"""Names by the module that has them."""

WORDS = "{words}"
"""Stands in annotations for the name of the type of an enum's words, which depends on the resource."""


class FieldTypeError(Exception):
    """A field has no such type, argument or default; the message is the rule."""


@dataclass(frozen=True)
class Default:
    """The value of a field that is left out.

    Attributes:
        python: Python source of the value.
        sql: SQL of the value.
        json: Python source of its JSON value.
        imports: the names that `python` needs.
    """

    python: str
    sql: str
    json: str
    imports: Imports = field(default_factory=dict)


def no_default(_: str) -> Default:
    """Refuse a default."""
    raise FieldTypeError("has a type without defaults; remove the default")


@dataclass(frozen=True, kw_only=True)
class Type:
    """The type of a field. Its values are Python source of JSON values.

    Attributes:
        annotation: the annotation in the model of the request.
        rules: arguments of pydantic's `Field`, which the annotation has besides.
        stored: the annotation in the model of the row.
        imports: the names that the annotations need.
        column: the type of the column.
        check: a condition of the database, in which `{name}` stands for the column; empty for none.
        broken: SQL of a value that breaks the condition.
        one: a value.
        other: another value, which is greater if the type has an order.
        wrong: invalid values, each with the pointer into it.
        extreme: valid values at the bounds.
        default: makes a default of what is written after `=`.
        unique: Python source of a value that differs for each `number`; empty if the type cannot be unique.
        ordered: whether it has ranges.
        indexed: whether a column can be in an index.
        listed: whether it is a list.
        dumped: whether the value is passed as JSON text.
        words: the words of an enum.
        table: the table that the column refers to.
    """

    annotation: str
    rules: tuple[str, ...] = ()
    stored: str
    imports: Imports = field(default_factory=dict)
    column: str
    check: str = ""
    broken: str = ""
    one: str = ""
    other: str = ""
    wrong: tuple[tuple[str, str], ...]
    extreme: tuple[str, ...] = ()
    default: Callable[[str], Default] = no_default
    unique: str = ""
    ordered: bool = False
    indexed: bool = True
    listed: bool = False
    dumped: bool = False
    words: tuple[str, ...] = ()
    table: str = ""


def of_models(*names: str) -> Imports:
    """Return the imports of types of the chassis."""
    return {"chassis.models": frozenset(names)}


def merged(*imports: Imports) -> Imports:
    """Return all imports together."""
    found: dict[str, frozenset[str]] = {}
    for each in imports:
        for module, names in each.items():
            found[module] = found.get(module, frozenset()) | names
    return found


def quoted(text: str) -> str:
    """Return a string of SQL."""
    return "'" + text.replace("'", "''") + "'"


def number_in(argument: str, least: int, most: int) -> int:
    """Return the number in parentheses.

    Raises:
        FieldTypeError: it is none from `least` to `most`.
    """
    if not re.fullmatch("[1-9][0-9]{0,8}|0", argument) or not least <= int(argument) <= most:
        raise FieldTypeError(f"should have a whole number from {least} to {most} in parentheses")
    return int(argument)


def refuse_arguments(arguments: list[str]) -> None:
    """Raise a FieldTypeError if there are arguments."""
    if arguments:
        raise FieldTypeError("has a type without parentheses; remove them")
