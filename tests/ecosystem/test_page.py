"""The page on libraries: its versions are those that are tested, and its code passes a service's checks."""

import re
from collections.abc import Callable
from pathlib import Path

from harness.repository import REPOSITORY
from tests.ecosystem import test_redis
from tests.ecosystem.page import LIBRARIES, code_of, write_code
from tests.services import run


def test_the_versions_are_those_that_are_tested() -> None:
    lock = (REPOSITORY / "requirements-ecosystem.txt").read_text(encoding="utf-8")
    locked = dict(re.findall(r"^([\w-]+)==(\S+)", lock, re.MULTILINE))
    listed = dict(
        re.findall(r"^\| \[([\w-]+)\]\([^)]+\) \| (\S+) \|", LIBRARIES.read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert len(listed) == 9
    assert listed == {name: locked[name] for name in listed}


def test_the_page_passes_the_services_checks(new_service: Callable[..., Path], tools: Path, python: Path) -> None:
    service = new_service()
    sections = re.findall(r"^##+ (.+)$", LIBRARIES.read_text(encoding="utf-8"), re.MULTILINE)
    code, settings = {"app/cache.py": test_redis.CODE["app/cache.py"]}, [test_redis.SETTING]
    for section in sections:
        found = code_of(LIBRARIES, section)
        settings.append(found.pop("app/settings.py", "").strip())
        del found["app/service.py"]
        code |= found
    write_code(service, code | {"app/settings.py": "\n".join(filter(None, settings))})
    for check in (("mypy", "app"), ("ruff", "check", *code), ("ruff", "format", "--check", *code)):
        run(service, tools, str(python), "-m", *check)
