"""Values of the contract are accepted only in the notation of RFC 3339 and JSON."""

import json
from datetime import UTC, date, datetime
from typing import Annotated

import pytest
from pydantic import Field, PlainSerializer, ValidationError

from chassis.models import Body, Date, Id, Number, Row, Timestamp, WholeNumber


class Values(Body):
    """A field of each type."""

    due: Date = date(2026, 1, 1)
    at: Timestamp = datetime(2026, 1, 1, tzinfo=UTC)
    count: WholeNumber = 0
    ratio: Number = 0


@pytest.mark.parametrize(
    ("field", "given", "taken"),
    [
        ("due", "2028-02-29", date(2028, 2, 29)),
        ("at", "2026-12-31T23:59:59Z", datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("at", "2026-12-31T23:59:59.25-01:30", datetime(2027, 1, 1, 1, 29, 59, 250_000, tzinfo=UTC)),
        ("count", -(2**53) + 1, -(2**53) + 1),
        ("count", 5.0, 5),
        ("ratio", 5, 5.0),
    ],
)
def test_a_value_is_taken_for_what_it_says(field: str, given: object, taken: object) -> None:
    assert getattr(Values.model_validate_json(json.dumps({field: given})), field) == taken


@pytest.mark.parametrize(
    ("field", "given", "rule"),
    [
        ("due", "31.12.2026", "Should be a date such as 2026-12-31"),
        ("due", "2026-02-29", "Should be a date such as 2026-12-31"),
        ("due", "20261231", "Should be a date such as 2026-12-31"),
        ("due", "1767225600", "Should be a date such as 2026-12-31"),
        ("due", 1767225600, "valid date"),
        ("at", "2026-12-31T23:59:59", "Should be a time with its offset from UTC"),
        ("at", "2026-12-31 23:59:59Z", "Should be a time with its offset from UTC"),
        ("at", "1767225600", "Should be a time with its offset from UTC"),
        ("at", "0001-01-01T00:00:00+01:00", "Should be a time with its offset from UTC"),
        ("count", 2**53, "less than or equal to"),
        ("count", "5", "Input should be a valid integer"),
        ("ratio", "1.5", "valid number"),
    ],
)
def test_a_value_that_is_written_otherwise_is_refused(field: str, given: object, rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        Values.model_validate_json(json.dumps({field: given}))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400"])
def test_a_number_is_finite(number: str) -> None:
    with pytest.raises(ValidationError, match="finite"):
        Values.model_validate_json(f'{{"ratio": {number}}}')


def test_a_whole_number_of_a_row_keeps_what_its_field_says() -> None:
    class Sent(Row):
        id: Annotated[Id, PlainSerializer(str, return_type=str)]
        parent: Annotated[Id, Field(description="the one above")] | None

    sent = Sent(id=7, parent=None)
    assert sent.model_dump_json() == '{"id":"7","parent":null}'
    properties = Sent.model_json_schema(mode="serialization")["properties"]
    assert properties["id"]["type"] == "string"
    assert properties["parent"]["anyOf"][0]["description"] == "the one above"
