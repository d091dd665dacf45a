"""The body of a PATCH has the rules of the body model, for the fields that are sent."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any, Self

import pytest
from aiohttp.test_utils import TestClient, TestServer
from pydantic import Field, TypeAdapter, ValidationError, field_validator, model_validator

from chassis.application import create_application
from chassis.contract import Route, contract_of
from chassis.database import Database
from chassis.http.openapi import openapi_document
from chassis.models import WHOLE_NUMBER, Body, Patch, Text, Timestamp
from chassis.project import project
from chassis.settings import Settings


class Size(Body):
    """A value that is an object."""

    width: int
    unit: str = "cm"


class Fields(Body):
    """Fields with defaults, with nulls and with rules."""

    name: Annotated[Text, Field(min_length=1, max_length=10, examples=["Lamp"])]
    colour: Text = "red"
    note: Text | None = None
    price: Annotated[int, Field(ge=0), WHOLE_NUMBER] = 5
    tags: list[str] = Field(default_factory=list, max_length=2)
    size: Size | None = None
    due: Timestamp | None = None

    @field_validator("name")
    @classmethod
    def lower(cls, name: str) -> str:
        return name.lower()

    @model_validator(mode="after")
    def fit(self) -> Self:
        if self.name == self.colour:
            raise ValueError("The name is a colour")
        return self

    def model_post_init(self, _: object) -> None:
        len(self.name)


async def change(number: int, body: Patch[Fields]) -> dict[str, Any]:
    """Change"""
    return {"number": number, "changes": dict(body.changes), "json": body.to_json()}


async def change_once(body: Patch[Fields], database: Database) -> dict[str, Any]:
    """Change with a key"""
    return {"at": await database.fetchval("SELECT clock_timestamp()")}


ROUTES = [Route("PATCH", "/fields/{number}", change), Route("PATCH", "/once", change_once)]


def patch(text: str) -> Patch[Fields]:
    result: Patch[Fields] = TypeAdapter(Patch[Fields]).validate_json(text)
    return result


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[TestClient[Any, Any]]:
    application = create_application(ROUTES, settings.model_copy(update={"cors_origins": ("*",)}))
    async with TestClient(TestServer(application.api)) as client:
        yield client


def test_it_has_what_was_sent_and_no_defaults() -> None:
    assert patch("{}").changes == {}
    assert patch("{}").to_json() == "{}"
    sent = patch('{"due": "2026-01-01T01:00:00.000001+01:00", "note": null, "name": "LAMP", "size": {"width": 3}}')
    due = datetime(2026, 1, 1, 0, 0, 0, 1, UTC)
    assert sent.changes == {"name": "lamp", "note": None, "size": Size(width=3), "due": due}
    assert list(sent.changes) == ["name", "note", "size", "due"]
    assert json.loads(sent.to_json()) == {
        "name": "lamp",
        "note": None,
        "size": {"width": 3, "unit": "cm"},
        "due": "2026-01-01T00:00:00.000001Z",
    }


def test_changes_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        patch("{}").changes["name"] = "x"  # type: ignore[index]


@pytest.mark.parametrize(
    ("sent", "place"),
    [
        ({"name": None}, ("name",)),
        ({"colour": None}, ("colour",)),
        ({"price": None}, ("price",)),
        ({"tags": None}, ("tags",)),
        ({"price": "5"}, ("price",)),
        ({"price": -1}, ("price",)),
        ({"name": "a\0b"}, ("name",)),
        ({"tags": ["a", 5]}, ("tags", 1)),
        ({"size": {"unit": "m"}}, ("size", "width")),
        ({"other": 5}, ("other",)),
        ([], ()),
    ],
)
def test_each_field_has_the_rules_of_the_model(sent: object, place: tuple[str | int, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        patch(json.dumps(sent))
    assert [each["loc"] for each in caught.value.errors()] == [place]


def test_a_rule_of_several_fields_holds_for_the_whole_body_only() -> None:
    assert patch('{"name": "red"}').changes == {"name": "red"}
    with pytest.raises(ValidationError):
        Fields(name="red")


def test_it_says_of_which_model_it_is() -> None:
    with pytest.raises(TypeError, match=r"Patch\[ItemFields\]"):
        TypeAdapter(Patch)

    async def of_no_model(body: Patch) -> None:  # type: ignore[type-arg]
        """Change"""

    with pytest.raises(TypeError, match=r"of_no_model: the parameter 'body': .*Patch\[ItemFields\]"):
        contract_of(Route("PATCH", "/", of_no_model))


async def test_both_media_types_are_taken_and_others_refused(client: TestClient[Any, Any]) -> None:
    for media_type in ("application/merge-patch+json", "application/json"):
        answer = await client.patch("/fields/7", data='{"price": 5.0}', headers={"Content-Type": media_type})
        assert (answer.status, await answer.json()) == (
            200,
            {"number": 7, "changes": {"price": 5}, "json": '{"price":5}'},
        )
    refused = await client.patch("/fields/7", data="[]", headers={"Content-Type": "application/json-patch+json"})
    assert refused.status == 415
    assert "application/merge-patch+json or application/json" in (await refused.json())["detail"]
    assert refused.headers["Accept-Patch"] == "application/merge-patch+json, application/json"


async def test_wrong_fields_are_named_by_pointers(client: TestClient[Any, Any]) -> None:
    answer = await client.patch("/fields/7", json={"name": None, "tags": ["a", 5], "a/b": 1})
    assert answer.status == 422
    assert [each["pointer"] for each in (await answer.json())["errors"]] == ["#/name", "#/tags/1", "#/a~1b"]


async def test_a_key_makes_it_once(client: TestClient[Any, Any]) -> None:
    headers = {"Idempotency-Key": "of-a-patch"}
    first, again = [await client.patch("/once", json={"price": 1}, headers=headers) for _ in range(2)]
    assert (first.status, await first.json()) == (again.status, await again.json())
    assert first.status == 200
    assert (await client.patch("/once", json={"price": 2}, headers=headers)).status == 422


async def test_a_browser_may_send_it(client: TestClient[Any, Any]) -> None:
    asked = {"Origin": "https://example.com", "Access-Control-Request-Method": "PATCH"}
    answer = await client.options("/fields/7", headers=asked)
    assert (answer.status, answer.headers["Access-Control-Allow-Methods"]) == (204, "PATCH")


def test_the_document_has_a_component_without_required_fields_and_defaults() -> None:
    document = openapi_document(ROUTES, project())
    content = document["paths"]["/fields/{number}"]["patch"]["requestBody"]["content"]
    reference = {"schema": {"$ref": "#/components/schemas/FieldsPatch"}}
    assert content == {"application/merge-patch+json": reference, "application/json": reference}
    schema = document["components"]["schemas"]["FieldsPatch"]
    assert schema["additionalProperties"] is False
    assert "required" not in schema
    assert [name for name, rule in schema["properties"].items() if "default" in rule] == []
    assert schema["properties"]["name"]["examples"] == ["Lamp"]
    assert {"type": "null"} in schema["properties"]["note"]["anyOf"]
