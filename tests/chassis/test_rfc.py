"""Requirements of the RFCs for every response, by section. Conditional requests are in test_conditional.py."""

import pytest
from yarl import URL

from tests.chassis.conftest import Running


async def test_rfc9110_9_3_2_head_answers_as_get_does_without_the_content(service: Running) -> None:
    for path in ("/search?word=a", "/counter/7", "/missing", "/no/such/route"):
        get, head = await service.api.get(path), await service.api.head(path)
        assert (head.status, await head.read()) == (get.status, b"")
        own = {"Date", "X-Request-ID"}
        for name in set(get.headers) - own:
            assert head.headers[name] == get.headers[name]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
async def test_rfc9110_15_5_6_a_405_lists_the_methods_of_the_path(service: Running, method: str) -> None:
    response = await service.api.request(method, "/search")
    assert (response.status, response.headers["Allow"]) == (405, "GET,HEAD")


async def test_rfc9110_15_5_5_a_path_that_nothing_has_is_a_404_whatever_the_method(service: Running) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        assert (await service.api.request(method, "/search/more")).status == 404


async def test_rfc9110_10_2_2_location_is_where_the_new_resource_is(service: Running) -> None:
    response = await service.api.post("/echo-at", json={"text": "a b/ü"})
    assert (response.status, response.headers["Location"]) == (201, "/notes/a%20b%2F%C3%BC")
    nested = await service.api.post(URL("/places/%C3%BC%2F1/notes", encoded=True), json={"text": "a"})
    assert (nested.status, nested.headers["Location"]) == (201, "/places/%C3%BC%2F1/notes/a")


@pytest.mark.parametrize("word", ["%C3%A9", "é", "%c3%a9"])
async def test_rfc3986_2_1_percent_encoded_octets_are_utf_8(service: Running, word: str) -> None:
    response = await service.api.get(URL(f"/search?word={word}", encoded=word.startswith("%")))
    assert await response.json() == {"word": "é", "most": 1}


async def test_rfc9110_8_6_an_answer_without_content_has_no_content_type(service: Running) -> None:
    response = await service.api.delete("/nothing")
    assert (response.status, await response.read()) == (204, b"")
    assert not {"Content-Type", "Content-Length"} & response.headers.keys()


async def test_rfc9457_3_the_members_of_a_problem_say_what_the_status_line_says(service: Running) -> None:
    response = await service.api.get("/missing")
    problem = await response.json(content_type="application/problem+json")
    assert problem["status"] == response.status
    assert (problem["type"], problem["title"]) == ("urn:problem-type:not-found", "Not found")


async def test_rfc8259_8_1_json_is_utf_8_and_says_no_charset(service: Running) -> None:
    response = await service.api.post("/echo", json={"text": "ü"})
    assert response.headers["Content-Type"] == "application/json"
    assert "ü".encode() in await response.read()
