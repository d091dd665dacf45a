"""The filters of a resource's list."""

from collections.abc import Iterator
from dataclasses import dataclass

from chassis.development.resource.field import Field
from chassis.development.resource.types.base import WORDS

_MOST_VALUES = 20


@dataclass(frozen=True)
class Filter:
    """A query parameter that selects rows.

    Attributes:
        name: its name.
        annotation: its annotation in the model of the query string, with its default.
        condition: Python source of its condition in SQL, in which `$` stands for the value.
    """

    name: str
    annotation: str
    condition: str


def filters_of(field: Field) -> Iterator[Filter]:
    """Yield the filters of a field: by its values, by a range if the type has an order, and by null."""
    if not field.filtered:
        return
    name, kind = field.name, field.type
    one = kind.annotation.replace(WORDS, field.words_type)
    bounded = f"Annotated[{one}, Field({', '.join(kind.rules)})]" if kind.rules else one
    if kind.listed:
        yield _several(name, one, "only with all of these values", f'"{name} @> $"')
    else:
        yield _several(name, f"list[{bounded}]", "only with one of these values", f'"{name} = ANY ($)"')
    if kind.ordered:
        yield _one(f"{name}_gte", bounded, "only with this value or a greater one", f'"{name} >= $"')
        yield _one(f"{name}_lt", bounded, "only with a smaller value", f'"{name} < $"')
    if field.nullable:
        nulls = f'{{True: "{name} IS NULL", False: "{name} IS NOT NULL"}}'
        yield _one(f"{name}_is_null", "bool", "only without a value, or with one", nulls)


def _one(name: str, annotation: str, description: str, condition: str) -> Filter:
    return Filter(name, f'Annotated[{annotation} | None, Field(description="{description}")] = None', condition)


def _several(name: str, annotation: str, description: str, condition: str) -> Filter:
    rules = f'default=[], max_length={_MOST_VALUES}, description="{description}"'
    return Filter(name, f"{annotation} = Field({rules})", condition)
