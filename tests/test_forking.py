"""A fork with defaults of its own: services are born with them, and green."""

import json
from pathlib import Path

import pytest

from tests.answers import matrix
from tests.baking import bake, copy_what_git_would_commit
from tests.services import run

DEFAULTS = {
    "owner": "Shop Platform",
    "image_repository": "registry.example.com/shop/<< cookiecutter.project_slug >>",
    "ingress_host": "<< cookiecutter.project_slug >>.shop.example.org",
    "python_version": ["3.13", "3.14"],
    "ci": ["gitlab", "github", "none"],
    "license": ["LicenseRef-Proprietary", "MIT", "Apache-2.0"],
    "_template_url": "https://git.example.org/platform/service-template",
    "_base_images": "registry.example.com/mirror",
    "_labels": {"cost-centre": "42", "team": "shop"},
}
WHERE = {
    "LICENSE": ["Shop Platform"],
    "pyproject.toml": ["Shop Platform"],
    "README.md": ["https://git.example.org/platform/service-template"],
    "Dockerfile": ["registry.example.com/mirror/python:", "PYTHON_VERSION=3.13"],
    "compose.yaml": ["registry.example.com/mirror/postgres:"],
    ".gitlab-ci.yml": ["registry.example.com/mirror/python:3.13", "REGISTRY=registry.example.com\n"],
    "Makefile": ["registry.example.com/shop/items-service"],
    "deploy/values.yaml": ["registry.example.com/shop/items-service", '"cost-centre": "42"', "git.example.org"],
    "deploy/development.yaml": ["registry.example.com/mirror/postgres:"],
    "deploy/production.yaml": ["items-service.shop.example.org"],
}


@pytest.fixture
def fork(tmp_path: Path) -> Path:
    """The template with other defaults, and nothing else changed."""
    template = tmp_path / "fork"
    copy_what_git_would_commit(template)
    file = template / "cookiecutter.json"
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | DEFAULTS, indent=4), encoding="utf-8")
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
    """With answers that tests/test_services.py leaves to this one."""
    assert " passed" in run(bake(fork, tmp_path, matrix()[-1]), tools, "make", "check")
