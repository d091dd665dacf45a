"""The chart, rendered by the real Helm, 3 and 4, from the copy that is in a baked service."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.baking import REPOSITORY
from tests.chart.rendering import HELMS, Chart


@pytest.fixture(scope="session", params=HELMS)
def helm(request: pytest.FixtureRequest, tools: Path) -> Path:
    """Each Helm in turn."""
    return tools / str(request.param)


@pytest.fixture(scope="session")
def chart(helm: Path) -> Chart:
    """The chart on each Helm."""
    return Chart(helm, REPOSITORY / "chart")


@pytest.fixture(scope="session")
def environment(service: Path) -> Callable[[str], list[Path]]:
    """The value files of a baked service for one of its environments."""
    return lambda name: [service / "deploy" / "values.yaml", service / "deploy" / f"{name}.yaml"]
