"""A fork with other defaults: new services get them, and pass their checks."""

import json
import re
from pathlib import Path

import pytest

from harness.baking import bake
from harness.fork import DEFAULTS, change_defaults
from harness.git import commit, git, repository
from harness.repository import REPOSITORY, copy_what_git_would_commit
from tests.answers import CHOICES, QUESTIONS, matrix
from tests.services import run

WHERE = {
    "LICENSE": ["Shop Platform"],
    "pyproject.toml": ["order-service", "Order Service", "Takes orders", "Shop Platform", "gunicorn"],
    "README.md": ["https://git.example.com/platform/service-template"],
    "Dockerfile": ["registry.example.com/mirror/python:", "PYTHON_VERSION=3.13"],
    "compose.yaml": ["registry.example.com/mirror/postgres:"],
    ".gitlab-ci.yml": ["registry.example.com/mirror/python:3.13", "REGISTRY=registry.example.com\n"],
    "Makefile": ["registry.example.com/shop/order-service"],
    "deploy/values.yaml": ["registry.example.com/shop/order-service", '"cost-centre": "42"', "git.example.com"],
    "deploy/development.yaml": ["registry.example.com/mirror/postgres:"],
    "deploy/production.yaml": ["order-service.shop.example.com"],
}


@pytest.fixture
def fork(tmp_path: Path) -> Path:
    """Create a fork: the template with other defaults and no other change."""
    template = tmp_path / "fork"
    copy_what_git_would_commit(template)
    change_defaults(template)
    return template


def test_a_service_of_a_fork_has_its_defaults(fork: Path, tmp_path: Path) -> None:
    service = bake(fork, tmp_path, {})
    for name, expected in WHERE.items():
        text = (service / name).read_text(encoding="utf-8")
        assert [each for each in expected if each not in text] == [], name
    for file in service.rglob("*"):
        if file.is_file() and not file.is_relative_to(service / "chart"):
            content = file.read_bytes()
            assert not [each for each in (b"github.com/org/", b"docker.io/", b"Example Team") if each in content], file


def test_a_service_of_a_fork_passes_its_own_checks(fork: Path, tmp_path: Path, tools: Path) -> None:
    """Uses the last row of the matrix, which tests/test_services.py leaves out."""
    assert " passed" in run(bake(fork, tmp_path, matrix()[-1]), tools, "make", "check")


def test_every_question_and_every_key_of_the_page_has_another_default_in_a_fork() -> None:
    asked = {name for name in QUESTIONS if not name.startswith("_")} - {"project_slug"}
    assert {name for name in DEFAULTS if not name.startswith("_")} == asked
    for name, choices in CHOICES.items():
        assert sorted(DEFAULTS[name]) == sorted(choices), name
    page = (REPOSITORY / "docs" / "forking.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?) \| .* \| `(.*)` \|$", page, re.MULTILINE)
    assert len(rows) == 7
    for keys, example in rows:
        assert json.loads(example) in [DEFAULTS[name] for name in re.findall(r"`(\w+)`", keys)], keys


def test_a_fork_takes_the_next_version_without_a_conflict(tmp_path: Path) -> None:
    copy_what_git_would_commit(tmp_path)
    repository(tmp_path)
    git(tmp_path, "switch", "--quiet", "--create", "upstream")
    file = tmp_path / "cookiecutter.json"
    file.write_text(file.read_text(encoding="utf-8").replace(QUESTIONS["_version"], "99.0.0"), encoding="utf-8")
    commit(tmp_path)
    git(tmp_path, "switch", "--quiet", "main")
    change_defaults(tmp_path)
    git(tmp_path, "commit", "--quiet", "--all", "--allow-empty", "--message", "Our defaults")
    git(tmp_path, "merge", "--quiet", "--no-edit", "upstream")
    merged = json.loads(file.read_text(encoding="utf-8"))
    assert merged == QUESTIONS | DEFAULTS | {"_version": "99.0.0"}
