"""Tests of the locks, of `make licenses`, and of `make audit` with a local server in place of osv.dev."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from harness.environments import python_for
from harness.repository import REPOSITORY, SERVICE
from tests.services import run

ADVISORY = "GHSA-test-test-test"


class Osv(ThreadingHTTPServer):
    """A stand-in for osv.dev: it records queries and reports one vulnerability, in the version that `vulnerable` names.

    https://google.github.io/osv.dev/post-v1-query/
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.vulnerable: tuple[str, str] | None = None
        self.asked: set[tuple[str, str]] = set()
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/query"

    def answer(self, query: dict[str, Any]) -> dict[str, Any]:
        asked = query["package"]["name"], query["version"]
        self.asked.add(asked)
        if asked != self.vulnerable:
            return {}
        package = {"name": asked[0], "ecosystem": "PyPI"}
        ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "999"}]}]
        affected = [{"package": package, "ranges": ranges, "versions": [asked[1]]}]
        return {"vulns": [{"id": ADVISORY, "summary": "Lets anybody in", "affected": affected}]}


class _Answer(BaseHTTPRequestHandler):
    server: Osv

    def do_POST(self) -> None:
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps(self.server.answer(query)).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Write no log."""


@pytest.fixture
def osv() -> Iterator[Osv]:
    """Run the server for one test."""
    with Osv() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def pins(service: Path, lock: str) -> set[tuple[str, str]]:
    """Return the names and versions in a lock that pip installs on this machine."""
    text = (service / lock).read_text(encoding="utf-8")
    return {*re.findall(r"^([a-z0-9-]+)==(\S+) \\$", text, re.MULTILINE)}  # a marker means another platform


def test_every_pin_is_asked_about_and_a_vulnerable_one_fails(service: Path, tools: Path, osv: Osv) -> None:
    osv.vulnerable = next(pin for pin in pins(service, "requirements.txt") if pin[0] == "aiohttp")
    with pytest.raises(AssertionError) as failed:
        run(service, tools, "make", "audit", f"OSV_URL={osv.url}")
    assert re.search(rf"aiohttp +{osv.vulnerable[1]} +{ADVISORY} +999", str(failed.value))
    assert "make lock UPGRADE=1" in str(failed.value)
    assert osv.asked >= pins(service, "requirements.txt") | pins(service, "requirements-dev.txt")


def test_one_that_was_looked_at_is_let_pass(service: Path, tools: Path, osv: Osv) -> None:
    osv.vulnerable = next(pin for pin in pins(service, "requirements.txt") if pin[0] == "aiohttp")
    said = run(service, tools, "make", "audit", f"OSV_URL={osv.url}", f"ACCEPTED_VULNERABILITIES={ADVISORY}")
    assert "1 ignored" in said


def test_it_does_not_pass_because_it_cannot_ask(service: Path, tools: Path, osv: Osv) -> None:
    osv.status = 503
    for url in (osv.url, "http://127.0.0.1:1/v1/query"):
        with pytest.raises(AssertionError, match="audit: FAILED"):
            run(service, tools, "make", "audit", f"OSV_URL={url}")


def test_the_licenses_of_all_that_is_in_the_image_are_known(service: Path, tools: Path) -> None:
    said = run(service, tools, "make", "licenses")
    listed = dict(re.findall(r"^ (\S+) +(\S+)", said, re.MULTILINE))
    assert "UNKNOWN" not in said
    for name, version in pins(service, "requirements.txt"):
        assert version in {listed.get(name), listed.get(name.replace("-", "_")), listed.get("PyJWT")}, name


@pytest.mark.parametrize("lock", ["requirements.txt", "requirements-gunicorn.txt"])
def test_a_lock_is_all_that_pip_needs(lock: str, tmp_path: Path) -> None:
    """The README, scanners and editors install a lock without --no-deps."""
    source = REPOSITORY / SERVICE / lock
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "-r", str(source)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_development_environment_lacks_nothing_that_a_package_asks_for(service: Path) -> None:
    done = subprocess.run([python_for(service), "-m", "pip", "check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
