"""Reads the arguments of `make resource`, and finds all mistakes in them."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence

from chassis.development.resource import existing
from chassis.development.resource.field import Field
from chassis.development.resource.names import Names, rule_for_resource
from chassis.development.resource.resource import OPERATIONS, Other, Resource
from chassis.development.resource.sentence import read_fields

NAMES = ("NAME", "PLURAL", "KEY", "PARENT", "WITHOUT", "FIELDS")
"""The arguments, as variables of make."""


def read_resource(given: Mapping[str, str]) -> tuple[Resource, list[str]]:
    """Read a resource from the arguments. Imports the service.

    Args:
        given: the arguments by name; those that are missing or empty have their defaults.

    Returns:
        The resource, and all mistakes. With mistakes, the resource cannot be used.
    """
    given = {name: " ".join(given.get(name, "").split()) for name in NAMES}
    names = Names(given["NAME"], given["PLURAL"])
    mistakes = [f"  NAME={names.one}: {rule}"] if (rule := rule_for_resource(names)) else []
    key, without = given["KEY"] or "bigint", given["WITHOUT"].replace(",", " ").split()
    if key not in {"bigint", "uuid"}:
        mistakes.append(f"  KEY={key}: should be bigint or uuid")
    if unknown := [each for each in without if each not in OPERATIONS]:
        mistakes.append(f"  WITHOUT={' '.join(unknown)}: should be of {', '.join(OPERATIONS)}")
    keys = existing.keys() | ({names.many: key} if names.one else {})
    fields, mistakes_of_fields = read_fields(given["FIELDS"], names, keys)
    mistakes += mistakes_of_fields
    if not given["FIELDS"]:
        mistakes.append("  FIELDS: should name at least one field, each as name:type")
    parent = given["PARENT"]
    found = {table: existing.other_of(table, key_of) for table, key_of in keys.items() if table != names.many}
    above = found.get(parent)
    path = f"{above.path if above else '/v1'}/{names.path}"
    found[names.many] = Other.itself(names, key, path, deleted="delete" not in without)
    mistakes += _mistakes_of_others(fields, found, names)
    if parent:
        mistakes += _mistakes_of_parent(parent, fields, found, names)
    resource = Resource(
        names=names,
        fields=fields,
        key=key,
        parent=found.get(parent),
        others={field.type.table: other for field in fields if (other := found.get(field.type.table))},
        without=frozenset(without),
        arguments=sentence(given),
    )
    return resource, mistakes


def _mistakes_of_others(fields: Sequence[Field], found: Mapping[str, Other | None], names: Names) -> Iterator[str]:
    for field in fields:
        table = field.type.table
        if not table or table == names.many:
            continue
        if not found[table]:
            yield f"  {field.name}: no route reads one of {table}, such as GET /v1/{table.replace('_', '-')}/{{…_id}}"
        elif not existing.makes_rows(table):
            yield (
                f"  {field.name}: tests/app/test_{table}.py has no function `async def create(client)`, which makes a "
                "row for the tests and returns its JSON; add it"
            )


def _mistakes_of_parent(
    parent: str, fields: Sequence[Field], found: Mapping[str, Other | None], names: Names
) -> Iterator[str]:
    if parent == names.many:
        yield f"  PARENT={parent}: is the resource itself; use a field such as parent:ref({parent})?"
        return
    other = found.get(parent)
    if not other:
        known = ", ".join(sorted(table for table, each in found.items() if each and table != names.many))
        yield f"  PARENT={parent}: has to have a route that reads one of its rows; there are {known or 'none'}"
        return
    if other.nested:
        yield f"  PARENT={parent}: has a parent itself; use a field such as {other.names.one}:ref({parent}) instead"
    elif other.takes != {f"{other.names.one}_id", "database"}:
        yield (
            f"  PARENT={parent}: {other.module}.{other.read} is called with {other.names.one}_id and database, and "
            "should take no others"
        )
    if not existing.makes_rows(parent):
        yield f"  PARENT={parent}: tests/app/test_{parent}.py has no function `async def create(client)`; add it"
    if any(field.name == f"{other.names.one}_id" for field in fields):
        yield f"  PARENT={parent}: has the column {other.names.one}_id, which is one of FIELDS, too; remove the field"


def mistakes_of_indexes(resource: Resource, fields: Sequence[Field]) -> Iterator[str]:
    """Yield messages for fields whose indexes would have the name of another index of the schema.

    An index `(x, id)` and an index `(x_id)` have the same name.
    """
    found = [(field, index) for field in fields for index in resource.indexes_of(field)]
    others = [each for each in resource.indexes if each not in (index for _, index in found)]
    taken = existing.indexes() | {each.name: each.on for each in others}
    for field, index in found:
        if taken.setdefault(index.name, index.on) != index.on:
            yield (
                f"  {field.name}: would name its index {index.name}, as the one on {taken[index.name]} is named; "
                "choose another name"
            )


def sentence(given: Mapping[str, str]) -> str:
    """Return the arguments as they are written in a shell."""
    return " ".join(f"{name}={_in_a_shell(value)}" for name, value in given.items() if value)


def _in_a_shell(value: str) -> str:
    if re.fullmatch(r"\w+", value):
        return value
    return shlex.quote(value) if re.search('["$`]', value) else f'"{value}"'
