"""A request is parsed into typed values, or the response names every mistake in it."""

from io import BytesIO
from typing import Any

import pytest
from pydantic import SecretStr
from yarl import URL

from chassis.contract import Route, contract_of
from chassis.database import Database
from chassis.http.admission import InFlightLimit
from chassis.http.endpoint import _with_cursor, endpoint
from chassis.http.request_body import BodyMemory, RequestBodyReader
from chassis.http.streams import Streams
from chassis.models import Body
from chassis.resources.injection import Injector
from chassis.settings import Settings
from chassis.telemetry.health import Health
from tests.chassis.conftest import Running, Start
from tests.chassis.example import Part

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", JSON, 400),
        (b"{", JSON, 400),
        (b'{"text": "\xff"}', JSON, 400),
        (b'{"text": "\\ud800"}', JSON, 422),
        (b'{"text": NaN}', JSON, 422),
        (b"[" * 20_000 + b"]" * 20_000, JSON, 400),
        (b'{"tags":' * 20_000 + b"1" + b"}" * 20_000, JSON, 400),
        (b"x" * 2 * 1024**2, JSON, 413),
        (b'{"text": "a"}', {"Content-Type": "text/plain"}, 415),
        (b'{"text": "a"}', {"Content-Type": "application/octet-stream"}, 415),
        (b"text=a", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        (b"[]", JSON, 422),
        (b"null", JSON, 422),
        (b'"text"', JSON, 422),
        (b'{"text": "a\\u0000"}', JSON, 422),
        (b'{"text": "a", "tags": [99999999999999999999999, -1]}', JSON, 422),
        (b'{"text": "a"}', {"Content-Type": "application/json; charset=utf-8"}, 200),
    ],
)
async def test_a_hostile_body_is_refused(service: Running, body: bytes, headers: dict[str, str], status: int) -> None:
    response = await service.api.post("/echo", data=BytesIO(body), headers=headers)
    assert response.status == status
    if status != 200:
        assert response.content_type == "application/problem+json"


async def test_every_mistake_of_a_request_is_named_at_once(service: Running) -> None:
    response = await service.api.put(
        "/notes/x?most=0&colour=red", json={"text": "far too long", "tags": [1, -1, "2"], "a/b~c é": 1}
    )
    problem = await response.json()
    assert (response.status, problem["type"]) == (422, "urn:problem-type:invalid-request")
    places = [(place, name) for mistake in problem["errors"] for place, name in mistake.items() if place != "detail"]
    assert sorted(places) == [
        ("parameter", "colour"),
        ("parameter", "most"),
        ("parameter", "number"),
        ("parameter", "word"),
        ("pointer", "#/a~1b~0c%20%C3%A9"),
        ("pointer", "#/tags/1"),
        ("pointer", "#/tags/2"),
        ("pointer", "#/text"),
    ]
    assert all(mistake["detail"] for mistake in problem["errors"])


async def test_an_answer_never_echoes_a_value(service: Running) -> None:
    response = await service.api.post("/echo", json={"text": "hunter2" * 3, "tags": ["hunter2"]})
    assert (response.status, "hunter2" in await response.text()) == (422, False)


async def test_a_thousand_mistakes_make_a_bounded_answer(service: Running) -> None:
    response = await service.api.post("/echo", json={"text": "", "tags": [-1] * 10_000})
    assert (response.status, (await response.json())["errors"]) == (
        422,
        [{"pointer": "#", "detail": "10000 values break their rules, more than are listed"}],
    )


@pytest.mark.parametrize("query", ["?word=a&word=b", "?word=a&other=1", "?most=1", "?word=a&most=x"])
async def test_a_query_string_that_breaks_a_rule_is_refused(service: Running, query: str) -> None:
    assert (await service.api.get(f"/search{query}")).status == 422


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("", {"tag": ["a"], "size": None, "word": ""}),
        ("?tag=b", {"tag": ["b"], "size": None, "word": ""}),
        ("?tag=b&word=x&tag=&tag=b&size=2", {"tag": ["b", "", "b"], "size": [2], "word": "x"}),
        ("?tag=", {"tag": [], "size": None, "word": ""}),
    ],
)
async def test_a_parameter_that_is_a_list_may_be_repeated(service: Running, query: str, values: dict[str, Any]) -> None:
    response = await service.api.get(f"/tagged{query}")
    assert (response.status, await response.json()) == (200, values)


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        ("?tag=b&tag=abcdef&tag=%00", ["tag", "tag"]),
        ("?tag=b" + "&tag=b" * 99, []),
        ("?tag=b" + "&tag=b" * 100, ["tag"]),
        ("?size=1&size=2&size=3", ["size"]),
        ("?tag=a&tag=b&word=a&word=b", ["word"]),
        ("?other=1&other=2", ["other", "other"]),
    ],
)
async def test_a_parameter_that_is_repeated_wrongly_is_named(
    service: Running, query: str, parameters: list[str]
) -> None:
    response = await service.api.get(f"/tagged{query}")
    assert [each["parameter"] for each in (await response.json()).get("errors", [])] == parameters
    assert response.status == (422 if parameters else 200)


async def test_a_body_may_be_an_array(service: Running) -> None:
    notes = [{"text": str(number), "tags": []} for number in range(1000)]
    response = await service.api.post("/notes:batch", json=notes)
    assert (response.status, await response.json()) == (200, notes)


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ([], ["#"]),
        ({}, ["#"]),
        ([{"text": "a"}] * 1001, ["#"]),
        ([{"text": "a"}] * 17 + [{"text": "", "tags": [1, -1], "a/b": 5}, 5], ["#/17/tags/1", "#/17/a~1b", "#/18"]),
    ],
    ids=["none", "object", "too many", "wrong"],
)
async def test_the_mistakes_of_an_array_are_named_by_pointers(
    service: Running, body: object, pointers: list[str]
) -> None:
    response = await service.api.post("/notes:batch", json=body)
    assert response.status == 422
    assert [each["pointer"] for each in (await response.json())["errors"]] == pointers


async def test_the_first_mistakes_of_many_are_named(service: Running) -> None:
    response = await service.api.post("/notes:batch", json=[{"text": ""} | {"tags": [-1]}] * 1000)
    assert response.status == 422
    *listed, rest = (await response.json())["errors"]
    assert [each["pointer"] for each in listed] == [f"#/{number}/tags/0" for number in range(100)]
    assert rest == {"pointer": "#", "detail": "900 more values break their rules"}


async def test_a_route_without_parameters_refuses_them(service: Running) -> None:
    response = await service.api.get("/transaction?limit=1")
    assert (response.status, (await response.json())["errors"][0]["parameter"]) == (422, "limit")


async def test_query_values_are_converted(service: Running) -> None:
    assert await (await service.api.get("/search?word=%C3%A9&most=3")).json() == {"word": "é", "most": 3}


async def test_a_handler_is_given_the_settings_it_asks_for(start: Start) -> None:
    service = await start(database_pool_size=3)
    assert await (await service.api.get("/pool-size")).json() == {"pool_size": 3}


SETTINGS = Settings(database_url=SecretStr("postgresql://host/name"))


class Thing(Body):
    """A body."""


async def _no_annotation(thing) -> None: ...  # type: ignore[no-untyped-def]
async def _no_result(thing: Thing): ...  # type: ignore[no-untyped-def]
async def _no_number(thing: Thing) -> None: ...
async def _unknown(thing: object) -> None: ...


async def _unbounded(body: list[Part]) -> None: ...


async def _located(place: str) -> Thing:
    return Thing()


def test_a_location_has_names_of_the_result_or_of_the_path() -> None:
    with pytest.raises(TypeError, match=r"has \['id'\]; name fields of Thing, or path parameters of /{place}"):
        contract_of(Route("POST", "/{place}", _located, status=201, location="/{place}/{id}"))


@pytest.mark.parametrize(
    ("handler", "path", "complaint"),
    [
        (_unbounded, "/", r"say how many objects the array 'body' may have, as Annotated\[list"),
        (_no_annotation, "/", "annotate the parameter 'thing'"),
        (_no_result, "/", "annotate what it returns"),
        (_no_number, "/{number}", r"values it does not take: \['number'\]"),
        (_unknown, "/", "nothing gives the parameter 'thing', as there is no object"),
    ],
)
def test_an_open_signature_stops_the_start(handler: Any, path: str, complaint: str) -> None:
    with pytest.raises(TypeError, match=complaint):
        endpoint(
            Route("POST", path, handler),
            Injector({Database, Settings}),
            SETTINGS,
            RequestBodyReader(1, InFlightLimit(1), BodyMemory(SETTINGS, [])),
            Streams(SETTINGS, Health()),
        )


@pytest.mark.parametrize(
    ("asked", "linked"),
    [
        ("", "cursor=M7_-"),
        ("?limit=50", "limit=50&cursor=M7_-"),
        ("?cursor=a&limit=5&name=b&name=c", "limit=5&name=b&name=c&cursor=M7_-"),
        ("?cursor&sort=-id", "sort=-id&cursor=M7_-"),
        ("?name=%C3%A4%26b&x=1+2", "name=%C3%A4%26b&x=1+2&cursor=M7_-"),
        ("?name=>;b#part", "name=%3E%3Bb&cursor=M7_-"),
        ("?c%75rsor=a&limit=5", "cursor=M7_-&limit=5"),
    ],
)
def test_the_link_to_the_next_page_keeps_the_rest_of_the_query(asked: str, linked: str) -> None:
    link = _with_cursor(URL(f"/v1/items{asked}", encoded=True), "M7_-")
    assert link == f"/v1/items?{linked}"
    assert URL(link).query.getall("cursor") == ["M7_-"]
