"""For any values, Helm 3 and Helm 4 either both render valid objects, or both fail with an error that names a value.

CHART_EXAMPLES is the number of sets of values, and SEED decides what is drawn; both have defaults, so that each run draws
the same.
"""

import json
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from harness.chart_values.drawing import Drawn, Walk
from harness.chart_values.examples import IMAGE, MODES
from harness.chart_values.forms import FORMS
from harness.chart_values.places import PLACES, VALUES, nested
from harness.repository import REPOSITORY
from harness.values import merge
from tests.chart.pod_security import violations
from tests.chart.rendering import HELMS, Chart, Object, RenderError, pods
from tests.chart.test_objects import check_schemas

_EXAMPLES, _SEED = int(os.environ.get("CHART_EXAMPLES", "100")), os.environ.get("SEED", "1")
_ATTEMPTS = 30
# An error of the schema, or of _validate.tpl, which is included in the first line of the first template.
_REFUSALS = (
    "values don't meet the specifications of the schema",
    "execution error at (aiohttp-service/templates/deployment.yaml:1:",
)
# With these values users may leave the restricted Pod Security Standard.
_USERS = {"podSecurityContext", "securityContext", "initContainers", "sidecars", "extraVolumes", "lifecycle"}
# _validate.tpl and Helm 3 separate a path with dots, Helm 4 with slashes. Unknown and missing keys stand apart.
_NAMES = {join.join(path[:2]) for path in VALUES for join in "./"} | {"unknownKey"}
_NAMES |= {missing.format(path[-1]) for path in VALUES for missing in ("'{}'", "{} is required")}

# What an item of a list needs beside the part that has forms.
_NEEDED = {("extraEnv",): {"name": "A"}}

Rendered = list[Object] | str


@pytest.fixture(scope="module")
def charts(tools: Path) -> list[Chart]:
    return [Chart(tools / helm, REPOSITORY / "chart") for helm in HELMS]


@pytest.fixture(scope="module")
def render(charts: list[Chart]) -> Callable[[dict[str, Any]], list[Rendered]]:
    """Return a function that renders values with each Helm: the objects, or Helm's error message."""

    def by(chart: Chart, values: dict[str, Any]) -> Rendered:
        try:
            return chart.render(values)
        except RenderError as error:
            return str(error)

    threads = ThreadPoolExecutor(len(charts))
    return lambda values: list(threads.map(by, charts, [values] * len(charts)))


def wrong_forms() -> Iterator[dict[str, Any]]:
    """Yield values, each with one wrong form at each place that has forms."""
    for number in range(max(len(forms.wrong) for forms in FORMS.values())):
        values: dict[str, Any] = {}
        for path, forms in FORMS.items():
            if number < len(forms.wrong):
                values = merge(values, _with(path, forms.wrong[number]))
        yield values


def _with(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    if "*" not in path:
        return nested(path, value)
    before, (_, *after) = path[: path.index("*")], path[path.index("*") :]
    return nested(before, [{**_NEEDED.get(before, {}), **nested(tuple(after), value)} if after else value])


def check_refusal(said: str) -> None:
    assert "kind:" not in said, "a refusal renders nothing"
    assert any(refusal in said for refusal in _REFUSALS), said
    assert any(name in said for name in _NAMES), said


def test_values_make_valid_objects_or_a_sentence(render: Callable[[dict[str, Any]], list[Rendered]]) -> None:
    walk, tried, accepted, reached, checked = Walk(_SEED), 0, 0, set(), set()

    def hold(drawn: Drawn) -> None:
        nonlocal tried, accepted
        tried += 1
        by_helm4, by_helm3 = render(drawn.values)
        assert isinstance(by_helm4, str) == isinstance(by_helm3, str), f"{by_helm4}\n{by_helm3}"
        if isinstance(by_helm4, str) or isinstance(by_helm3, str):
            for said in (by_helm4, by_helm3):
                check_refusal(str(said))
            return
        assert by_helm4 == by_helm3
        unchecked = [each for each in by_helm4 if (text := json.dumps(each)) not in checked and not checked.add(text)]
        check_schemas(unchecked)
        if not drawn.changes.keys() & _USERS:
            assert not [each for _, pod in pods(unchecked) for each in violations(pod)]
        names = [(each["kind"], each["metadata"]["name"]) for each in by_helm4]
        assert len(names) == len(set(names))
        accepted += 1
        reached.update(drawn.places)

    def hold_or_show(drawn: Drawn) -> None:
        try:
            hold(drawn)
        except Exception as error:
            raise AssertionError(f"with the values {json.dumps(drawn.changes)}") from error

    for _ in range(_EXAMPLES):
        hold_or_show(walk.draw())
    for place in sorted(PLACES - reached):
        for _ in range(_ATTEMPTS):
            if place in reached:
                break
            hold_or_show(walk.draw_for(place))
    print(f"{accepted} of {tried} sets of values were accepted")
    assert PLACES - reached == set(), "the chart took no other value than the default here"


def test_what_the_chart_passes_on_is_checked_first(render: Callable[[dict[str, Any]], list[Rendered]]) -> None:
    for values in wrong_forms():
        for said, join in zip(render(merge(merge(IMAGE, MODES["external"]), values)), "/.", strict=True):
            assert "specifications of the schema" in said
            for path in places(values):
                assert f"{join.join(path)}{join}" in said or f"{join.join(path)}'" in said, (path, values, said)
