"""Conditional requests, by the sections of RFC 9110 that define them."""

from typing import Any

import pytest

from chassis.contract import Contract, Route
from tests.chassis.conftest import Running, Start
from tests.chassis.example import Counter, counter

FORM = Contract(Route("GET", "/counter/{version}", counter)).schema_digest
TAG = f'"7-{FORM}"'


@pytest.mark.parametrize("tags", [TAG, f"W/{TAG}", f'"1", W/{TAG}', f'"a,b" ,{TAG}', f", {TAG},", "*", " * "])
async def test_13_1_2_if_none_match_compares_weakly_and_leaves_the_body_out(service: Running, tags: str) -> None:
    for method in ("GET", "HEAD"):
        response = await service.api.request(method, "/counter/7", headers={"If-None-Match": tags})
        assert (response.status, await response.read()) == (304, b"")


@pytest.mark.parametrize(
    "tags", ['"8"', "7", '"7"', '"7-000000"', '""', f"w/{TAG}", f"x{TAG}y", f'{TAG} "8"', "garbage", ""]
)
async def test_13_1_2_a_representation_that_is_not_known_is_sent(service: Running, tags: str) -> None:
    response = await service.api.get("/counter/7", headers={"If-None-Match": tags})
    assert (response.status, await response.json()) == (200, {"name": "counter"})


async def test_13_1_2_tags_may_come_in_several_lines(service: Running) -> None:
    headers = [("If-None-Match", '"1"'), ("If-None-Match", TAG)]
    assert (await service.api.get("/counter/7", headers=headers)).status == 304


async def test_15_4_5_a_304_has_the_tag_and_no_content_type(service: Running) -> None:
    response = await service.api.get("/counter/7", headers={"If-None-Match": TAG})
    assert response.headers["ETag"] == TAG
    assert "Content-Type" not in response.headers


async def test_8_8_3_the_tag_is_strong_and_the_version_is_not_in_the_body(service: Running) -> None:
    response = await service.api.get("/counter/7")
    assert (response.headers["ETag"], await response.json()) == (TAG, {"name": "counter"})


@pytest.mark.parametrize(
    ("tags", "versions"),
    [
        (None, None),
        ("*", None),
        (TAG, [7]),
        ('"7-0ff0"', [7]),  # the same version with another schema digest
        (f'"1-a", {TAG}', [1, 7]),
        (f"W/{TAG}", []),
        ('"07-a", "x", "", "7", "7.0-a", "-1-a", "9999999999999999999-a"', []),
        (f'"*", {TAG}x', []),
        (f"w/{TAG}", []),
        ("7", []),
        ("", []),
    ],
)
async def test_13_1_1_if_match_compares_strongly(service: Running, tags: str | None, versions: Any) -> None:
    response = await service.api.put("/counter", headers={} if tags is None else {"If-Match": tags})
    assert (response.status, await response.json()) == (200, {"versions": versions})


async def test_13_1_2_a_write_that_asks_for_nothing_to_be_there_matches_no_version(service: Running) -> None:
    response = await service.api.put("/counter", headers={"If-None-Match": "*"})
    assert await response.json() == {"versions": []}


@pytest.mark.parametrize(
    ("tags", "status"), [(TAG, 200), ("*", 200), ('"8"', 412), (f"W/{TAG}", 412), ("garbage", 412)]
)
async def test_13_1_1_a_read_may_ask_for_what_it_knows(service: Running, tags: str, status: int) -> None:
    assert (await service.api.get("/counter/7", headers={"If-Match": tags})).status == status


async def test_8_8_1_another_form_of_the_same_version_has_another_tag() -> None:
    class More(Counter):
        currency: str = "EUR"

    async def more() -> More: ...  # type: ignore[empty-body]

    assert Contract(Route("GET", "/more", more)).schema_digest != FORM


async def test_a_write_without_a_precondition_may_be_forbidden(start: Start) -> None:
    """See RFC 6585, section 3."""
    service = await start(require_if_match=True)
    response = await service.api.put("/counter")
    assert (response.status, (await response.json())["type"]) == (428, "urn:problem-type:precondition-required")
    assert (await service.api.put("/counter", headers={"If-Match": TAG})).status == 200
    assert (await service.api.get("/counter/7")).status == 200
