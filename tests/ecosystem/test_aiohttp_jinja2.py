"""aiohttp-jinja2: a page from a template, and static files beside it."""

from collections.abc import Iterator

import pytest

from tests.ecosystem.conftest import Run
from tests.ecosystem.page import LIBRARIES, code_of
from tests.ecosystem.running import Running

CODE = code_of(LIBRARIES, "aiohttp-jinja2") | {
    "app/templates/greeting.html": '<link href="{{ static("style.css") }}"><p>Hello {{ name }}</p>',
    "app/static/style.css": "p { color: green }",
}


@pytest.fixture(scope="module")
def running(run_service: Run) -> Iterator[Running]:
    with run_service() as service:
        yield service


def test_a_page_comes_from_a_template(running: Running) -> None:
    page = running.get("/greetings/%3Cb%3EAda")
    assert (page.status, page.headers.get_content_type()) == (200, "text/html")
    assert page.body == b'<link href="/static/style.css"><p>Hello &lt;b&gt;Ada</p>'


def test_a_static_file_is_sent_once(running: Running) -> None:
    file = running.get("/static/style.css")
    assert (file.status, file.headers["Content-Type"], file.body) == (200, "text/css", b"p { color: green }")
    for condition in ({"If-None-Match": file.headers["ETag"]}, {"If-Modified-Since": file.headers["Last-Modified"]}):
        again = running.get("/static/style.css", condition)
        assert (again.status, again.body) == (304, b"")


def test_a_missing_static_file_is_a_problem(running: Running) -> None:
    assert running.get("/static/none.css").json["type"] == "urn:problem-type:not-found"
