"""Fixtures: the chart from a baked service, rendered by the real Helm 3 and Helm 4."""

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.repository import REPOSITORY
from tests.chart.rendering import HELMS, Chart


@pytest.fixture(scope="session", params=HELMS)
def helm(request: pytest.FixtureRequest, tools: Path) -> Path:
    """Return the path of Helm. Tests run once for each version."""
    return tools / str(request.param)


@pytest.fixture(scope="session")
def chart(helm: Path) -> Chart:
    """Return the chart with each version of Helm."""
    return Chart(helm, REPOSITORY / "chart")


@pytest.fixture(scope="session")
def environment(service: Path) -> Callable[[str], list[Path]]:
    """Return a function that lists the value files of a baked service for one of its environments."""
    return lambda name: [service / "deploy" / "values.yaml", service / "deploy" / f"{name}.yaml"]
