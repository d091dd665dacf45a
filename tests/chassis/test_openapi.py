"""The OpenAPI document is valid and matches the signatures, and /docs shows it without internet access."""

import json
import re
import sys

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import SecretStr, TypeAdapter

from app.routes import ROUTES
from chassis.application import create_application
from chassis.contract import Route
from chassis.http.openapi import openapi_document
from chassis.models import Id
from chassis.pagination import PageQuery
from chassis.project import ROOT, project
from chassis.settings import Settings
from tests.chassis import example
from tests.chassis.conftest import Running


@pytest.mark.parametrize("routes", [ROUTES, example.ROUTES], ids=["service", "example"])
def test_the_document_is_valid(routes: list[Route]) -> None:
    document = openapi_document(routes, project())
    OpenAPIV31SpecValidator(document).validate()
    assert document["openapi"].startswith("3.1.")
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert len(operations) == len(routes)


@pytest.mark.parametrize(
    ("key", "taken"), [("a" * 255, True), ('"a b"', True), ("a" * 256, False), ("a b", False), ('"a" b', False)]
)
def test_the_document_takes_the_idempotency_keys_that_the_service_takes(key: str, taken: bool) -> None:
    post = openapi_document(example.ROUTES, project())["paths"]["/write/{milliseconds}"]["post"]
    [schema] = [each["schema"] for each in post["parameters"] if each["name"] == "Idempotency-Key"]
    assert bool(re.search(schema["pattern"], key)) is taken


def test_the_document_says_what_the_signature_says() -> None:
    paths = openapi_document(example.ROUTES, project())["paths"]
    put = paths["/notes/{number}"]["put"]
    assert {parameter["name"]: (parameter["in"], parameter["required"]) for parameter in put["parameters"]} == {
        "number": ("path", True),
        "word": ("query", True),
        "most": ("query", False),
    }
    assert put["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Note"}
    always = {"400", "401", "408", "417", "422", "431", "500", "503"}
    assert put["responses"].keys() == {"200", "413", "415", *always}
    post = paths["/write/{milliseconds}"]["post"]
    assert post["responses"].keys() == {"201", "409", "413", "415", *always}
    assert "Idempotency-Key" in [parameter["name"] for parameter in post["parameters"]]
    write = paths["/counter"]["put"]
    assert [parameter["name"] for parameter in write["parameters"]] == ["If-Match"]
    assert write["responses"].keys() >= {"412", "428"}
    unavailable = write["responses"]["503"]["$ref"].rpartition("/")[2]
    responses = openapi_document(example.ROUTES, project())["components"]["responses"]
    assert "Retry-After" in responses[unavailable]["headers"]
    read = paths["/counter/{version}"]["get"]
    assert [parameter["name"] for parameter in read["parameters"]] == ["version", "If-None-Match"]
    assert (
        read["responses"]["200"]["headers"].keys()
        == read["responses"]["304"]["headers"].keys()
        == {
            "X-Request-ID",
            "ETag",
        }
    )
    assert (
        "version" not in openapi_document(example.ROUTES, project())["components"]["schemas"]["Counter"]["properties"]
    )
    assert paths["/missing"]["get"]["responses"].keys() == {"200", "404", *always}
    assert paths["/refused"]["get"]["responses"].keys() == {"204", *always}


def test_arrays_are_told() -> None:
    paths = openapi_document(example.ROUTES, project())["paths"]
    tag, size, word = (each["schema"] for each in paths["/tagged"]["get"]["parameters"])
    assert (tag["type"], tag["items"]["maxLength"], tag["maxItems"], tag["default"]) == ("array", 5, 100, ["a"])
    assert (size["type"], size["items"]["minimum"], size["maxItems"], "default" in size) == ("array", 0, 2, False)
    assert word["type"] == "string"
    body = paths["/notes:batch"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {
        "type": "array",
        "items": {"$ref": "#/components/schemas/Note"},
        "minItems": 1,
        "maxItems": 1000,
    }


def test_the_rules_of_whole_numbers_are_told() -> None:
    assert TypeAdapter(Id).json_schema() == {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}
    limit = PageQuery.model_json_schema()["properties"]["limit"]
    assert (limit["minimum"], limit["maximum"], limit["default"]) == (1, 100, 20)


def test_the_document_has_the_service_s_title_for_people() -> None:
    assert openapi_document([], project())["info"]["title"] == project().title


def test_two_handlers_of_one_name_stop_the_start() -> None:
    twice = [Route("GET", "/a", example.broken), Route("GET", "/b", example.broken)]
    with pytest.raises(ValueError, match="broken"):
        create_application(twice, Settings(database_url=SecretStr("postgresql://host/name")))


def test_every_problem_has_an_example_that_is_one() -> None:
    components = openapi_document(ROUTES, project())["components"]
    validator = OAS31Validator({"$ref": "#/components/schemas/Problem", "components": components})
    assert components["responses"]
    for response in components["responses"].values():
        names = response["content"]["application/problem+json"]["examples"]
        statuses = set()
        for name in names:
            example = components["examples"][name]["value"]
            validator.validate(example)
            assert example["type"] == f"urn:problem-type:{name}"
            statuses.add(example["status"])
        assert len(statuses) == 1


def test_the_file_in_the_repository_is_current() -> None:
    written = json.loads((ROOT / "openapi.json").read_text(encoding="utf-8"))
    assert written == openapi_document(ROUTES, project()), "run: make openapi"


async def test_the_document_is_served(service: Running) -> None:
    response = await service.api.get("/openapi.json")
    assert response.status == 200
    assert await response.json() == openapi_document(example.ROUTES, project(), authentication=False)


async def test_the_docs_page_loads_nothing_from_elsewhere(service: Running) -> None:
    page = await service.api.get("/docs")
    html = await page.text()
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assets = re.findall(r'(?:src|href)="(?!data:)([^"]+)"', html)
    assert len(assets) == 3
    for asset in assets:
        assert not asset.startswith(("http", "/"))
        response = await service.api.get(f"/{asset}")
        assert (response.status, len(await response.read()) > 0) == (200, True)
    assert "offapi" not in sys.modules, "it would read megabytes into memory, of which the image has a part"
