"""Fixtures: the template, and functions that bake services from it. The order of the tests, and their progress."""

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.baking import bake
from harness.helm import fetch_helm
from harness.repository import TOOLS, copy_what_git_would_commit
from tests.answers import EXAMPLE
from tests.progress import Progress

# Files with tests that take minutes.
LONGEST = ["test_drawn_resources", "test_chassis", "test_resource", "test_tutorial", "test_resource_lists"]
LONGEST += ["test_services", "test_updating", "test_update"]


@pytest.hookimpl(trylast=True)  # after the plugins that it looks for
def pytest_configure(config: pytest.Config) -> None:
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal and config.pluginmanager.has_plugin("dsession"):  # tests run in other processes
        config.pluginmanager.register(Progress(terminal))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest: one of them at the end would leave all processes but one idle."""
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


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
