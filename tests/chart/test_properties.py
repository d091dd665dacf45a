"""For any values, Helm 3 and Helm 4 either both render valid objects, or both fail with an error that names a value.

CHART_EXAMPLES is the number of sets of values, and SEED decides what is drawn. Both have defaults, so that each run
draws the same.
"""

import json
import os
import pathlib
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from harness.chart_values.drawing import Drawn, Walk
from harness.chart_values.examples import IMAGE, MODES
from harness.chart_values.forms import FORMS
from harness.chart_values.places import PLACES, VALUES, Path, nested
from harness.repository import REPOSITORY
from harness.values import merge
from tests.chart.pod_security import violations
from tests.chart.rendering import HELMS, Chart, Object, RenderError, pods
from tests.chart.test_objects import check_schemas

_EXAMPLES, _SEED = int(os.environ.get("CHART_EXAMPLES", "60")), os.environ.get("SEED", "1")
_ATTEMPTS = 50
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

Rendered = list[Object] | str
Render = Callable[[dict[str, Any]], list[Rendered]]


@pytest.fixture(scope="module")
def charts(tools: pathlib.Path) -> list[Chart]:
    return [Chart(tools / helm, REPOSITORY / "chart") for helm in HELMS]


@pytest.fixture(scope="module")
def render(charts: list[Chart]) -> Render:
    """Return a function that renders values with each Helm: the objects, or Helm's error message."""

    def by(chart: Chart, values: dict[str, Any]) -> Rendered:
        try:
            return chart.render(values)
        except RenderError as error:
            return str(error)

    threads = ThreadPoolExecutor(len(charts))
    return lambda values: list(threads.map(by, charts, [values] * len(charts)))


def wrong_forms() -> Iterator[tuple[dict[str, Any], list[Path]]]:
    """Yield values with one wrong form at each place that has forms, and the paths of these values."""
    for number in range(max(len(forms.wrong) for forms in FORMS.values())):
        values: dict[str, Any] = {}
        paths = []
        for place, forms in FORMS.items():
            if number < len(forms.wrong):
                path, wrong = place, forms.wrong[number]
                if "*" in place:
                    path, after = place[: place.index("*")], place[place.index("*") + 1 :]
                    wrong = [{"name": "A", **nested(after, wrong)} if after else wrong]
                values = merge(values, nested(path, wrong))
                paths.append(path)
        yield values, paths


def check_refusal(said: str) -> None:
    assert "kind:" not in said, "a refusal renders nothing"
    assert any(refusal in said for refusal in _REFUSALS), said
    assert any(name in said for name in _NAMES), said


@dataclass
class Trial:
    """Holds sets of values to the promise.

    Attributes:
        reached: the places for which the chart took a value other than the default.
        checked: the objects that are valid, as JSON.
    """

    render: Render
    tried: int = 0
    accepted: int = 0
    reached: set[Path] = field(default_factory=set)
    checked: set[str] = field(default_factory=set)

    def hold(self, drawn: Drawn) -> None:
        self.tried += 1
        try:
            self._hold(drawn)
        except Exception as error:
            error.add_note(f"with the values {json.dumps(drawn.changes)}")
            raise

    def _hold(self, drawn: Drawn) -> None:
        by_helm4, by_helm3 = self.render(drawn.values)
        assert isinstance(by_helm4, str) == isinstance(by_helm3, str), f"{by_helm4}\n{by_helm3}"
        if isinstance(by_helm4, str) or isinstance(by_helm3, str):
            check_refusal(str(by_helm4))
            check_refusal(str(by_helm3))
            return
        assert by_helm4 == by_helm3
        check_schemas([each for each in by_helm4 if json.dumps(each) not in self.checked])
        self.checked.update(map(json.dumps, by_helm4))
        if not drawn.changes.keys() & _USERS:
            assert not [each for _, pod in pods(by_helm4) for each in violations(pod)]
        names = [(each["kind"], each["metadata"]["name"]) for each in by_helm4]
        assert len(names) == len(set(names))
        self.accepted += 1
        self.reached |= drawn.places


def test_values_make_valid_objects_or_a_sentence(render: Render) -> None:
    walk, trial = Walk(_SEED), Trial(render)
    for _ in range(_EXAMPLES):
        trial.hold(walk.draw())
    for place in sorted(PLACES - trial.reached):
        for _ in range(_ATTEMPTS):
            if place not in trial.reached:
                trial.hold(walk.draw_for(place))
    print(f"{trial.accepted} of {trial.tried} sets of values were accepted")
    assert PLACES - trial.reached == set(), "the chart took nothing but the default here"


def test_the_types_of_what_the_chart_passes_on_are_checked(render: Render) -> None:
    for values, paths in wrong_forms():
        for said, join in zip(render(merge(merge(IMAGE, MODES["external"]), values)), "/.", strict=True):
            names = {path: re.escape(join.join(path)) for path in paths}
            missed = [path for path, name in names.items() if not re.search(rf"[-/ ]{name}[^a-zA-Z]", str(said))]
            assert not missed, said
