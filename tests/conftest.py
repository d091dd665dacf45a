"""Fixtures: the template, and functions that bake services from it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.baking import bake
from harness.helm import fetch_helm
from harness.repository import TOOLS, copy_what_git_would_commit
from tests.answers import EXAMPLE


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("template")
    copy_what_git_would_commit(target)
    return target


@pytest.fixture(scope="session")
def new_service(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that bakes a service with the given answers, each time in a new folder."""
    return lambda **answers: bake(template, tmp_path_factory.mktemp("service"), answers)


@pytest.fixture(scope="session")
def service(new_service: Callable[..., Path]) -> Path:
    """Bake the example of the documentation. Tests must not change it."""
    return new_service(**EXAMPLE)


@pytest.fixture(scope="session")
def tools() -> Path:
    """Return the folder with helm, helm3 and kubectl."""
    fetch_helm()
    return TOOLS
