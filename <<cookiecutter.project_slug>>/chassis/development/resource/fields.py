"""The types of fields: their annotations, columns, and values for tests."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Type:
    """The type of a field.

    Attributes:
        given: the annotation in the model of the request.
        stored: the annotation in the model of the row.
        imports: the names that the annotations need, by module.
        column: the column definition after the name; `{name}` is replaced by the name.
        one: a JSON value, as Python source.
        other: another value.
        wrong: an invalid value.
    """

    given: str
    stored: str
    imports: dict[str, set[str]]
    column: str
    one: str
    other: str
    wrong: str


TYPES = {
    "str": Type(
        "Annotated[Text, Field(min_length=1, max_length=200)]",
        "str",
        {"typing": {"Annotated"}, "pydantic": {"Field"}, "chassis.models": {"Text"}},
        "text NOT NULL CHECK (char_length({name}) BETWEEN 1 AND 200)",
        '"One"',
        '"Two"',
        '""',
    ),
    "int": Type("WholeNumber", "int", {"chassis.models": {"WholeNumber"}}, "bigint NOT NULL", "1", "2", '"1"'),
    "float": Type(
        "Number", "float", {"chassis.models": {"Number"}}, "double precision NOT NULL", "1.5", "2.5", '"1.5"'
    ),
    "bool": Type("bool", "bool", {}, "boolean NOT NULL", "False", "True", '"yes"'),
    "date": Type(
        "Date",
        "date",
        {"datetime": {"date"}, "chassis.models": {"Date"}},
        "date NOT NULL",
        '"2026-12-31"',
        '"2027-01-01"',
        '"31.12.2026"',
    ),
    "datetime": Type(
        "Timestamp",
        "datetime",
        {"chassis.models": {"Timestamp"}},
        "timestamptz NOT NULL",
        '"2026-12-31T23:59:59Z"',
        '"2027-01-01T00:00:00Z"',
        '"2026-12-31"',
    ),
    "uuid": Type(
        "UUID",
        "UUID",
        {"uuid": {"UUID"}},
        "uuid NOT NULL",
        '"0b9ad1d5-9d39-4ab7-8c8e-6b8f0c1a2b3c"',
        '"5d1f6a1e-3f5b-4a86-9a0e-2f7c5b9d8e01"',
        '"0b9ad1d5"',
    ),
}


@dataclass(frozen=True)
class Field:
    """A field of a resource."""

    name: str
    type: Type
