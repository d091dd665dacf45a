"""For any values, Helm 3 and Helm 4 either both render valid objects, or both fail with an error that names a value."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings

from harness.repository import REPOSITORY
from tests.chart.pod_security import violations
from tests.chart.rendering import HELMS, Chart, RenderError, pods
from tests.chart.strategies import LEAVES, values
from tests.chart.test_objects import check_schemas

_EXAMPLES = int(os.environ.get("CHART_EXAMPLES", "60"))
# An error of the schema, or of _validate.tpl, which is included in the first line of the first template.
_REFUSALS = (
    "values don't meet the specifications of the schema",
    "execution error at (aiohttp-service/templates/deployment.yaml:1:",
)
# _validate.tpl and Helm 3 separate a path with dots, Helm 4 with slashes. Unknown and missing keys stand apart.
_NAMES = {join.join(path) for path in LEAVES for join in "./"} | {"unknownKey"}
_NAMES |= {missing.format(path[-1]) for path in LEAVES for missing in ("'{}'", "{} is required")}


@pytest.fixture(scope="module")
def charts(tools: Path) -> list[Chart]:
    return [Chart(tools / helm, REPOSITORY / "chart") for helm in HELMS]


def render(chart: Chart, given_values: dict[str, Any]) -> list[dict[str, Any]] | str:
    """Return the objects, or Helm's error message."""
    try:
        return chart.render(given_values)
    except RenderError as error:
        return str(error)


def test_values_make_valid_objects_or_a_sentence(charts: list[Chart]) -> None:
    accepted = 0

    # No shrinking: each attempt runs Helm twice, and the drawn values are small.
    @settings(max_examples=_EXAMPLES, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
    @given(values())
    def holds(given_values: dict[str, Any]) -> None:
        nonlocal accepted
        by_helm4, by_helm3 = (render(chart, given_values) for chart in charts)
        assert isinstance(by_helm4, str) == isinstance(by_helm3, str), f"{by_helm4}\n{by_helm3}"
        if isinstance(by_helm4, str) or isinstance(by_helm3, str):
            for said in (by_helm4, by_helm3):
                assert "kind:" not in said, "a refusal renders nothing"
                assert any(refusal in said for refusal in _REFUSALS), said
                assert any(name in said for name in _NAMES), said
            return
        accepted += 1
        assert by_helm4 == by_helm3
        check_schemas(by_helm4)
        assert not [each for _, pod in pods(by_helm4) for each in violations(pod)]
        names = [(each["kind"], each["metadata"]["name"]) for each in by_helm4]
        assert len(names) == len(set(names))

    holds()
    print(f"{accepted} of {_EXAMPLES} sets of values were accepted")
    assert accepted > _EXAMPLES / 5
