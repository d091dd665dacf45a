"""docs/chart-features.md compares the chart with others: what it says of this chart, tests show."""

import ast
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from e2e.scenarios import SCENARIOS
from harness.repository import REPOSITORY
from tests.chart import test_knobs
from tests.chart.knobs import PLACES_BESIDE
from tools.chart_readme import documented

CHART, DOCS = REPOSITORY / "chart", REPOSITORY / "docs"
PAGE = DOCS / "chart-features.md"
VALUES = documented((CHART / "values.yaml").read_text(encoding="utf-8")).keys()
COLUMNS = ["option", "this chart", "tests", "helm create", "podinfo", "stakater", "bjw-s", "bitnami"]

_CODE, _LINK = re.compile(r"`([^`]+)`"), re.compile(r"\[([^\]]+)\]\(([^)]+)\)")


class Row(NamedTuple):
    """A row of the page."""

    option: str
    ours: str
    tests: str
    others: list[str]

    @property
    def named(self) -> set[str]:
        """Return what the chart has for the option: values and files of the chart. None if it has nothing."""
        return set() if self.ours.startswith("no") else set(_CODE.findall(self.ours))

    @property
    def values(self) -> set[str]:
        """Return the values. `config.*` stands for all in `config`."""
        names = {name for name in self.named if not name.startswith("profiles/")}
        return (names - {"config.*"}) | {each for each in VALUES if f"{each.partition('.')[0]}.*" in names}

    @property
    def links(self) -> list[tuple[str, Path]]:
        """Return the names of the tests, and their files."""
        return [(name, (PAGE.parent / target).resolve()) for name, target in _LINK.findall(self.tests)]


def rows() -> Iterator[Row]:
    """Yield the rows of the comparison, without heads."""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = line.removeprefix("| ").removesuffix(" |").split(" | ")
        if line.startswith("|") and len(cells) > 2 and cells not in (COLUMNS, ["---"] * len(COLUMNS)):
            assert len(cells) == len(COLUMNS), line
            option, ours, tests, *others = cells
            yield Row(option, ours, tests, others)


def case(path: str, value: Any) -> str:
    """Return the value that a case of test_knobs is about: the last of those that it sets."""
    while path not in VALUES and isinstance(value, dict):
        *_, (key, value) = value.items()
        path = f"{path}.{key}"
    return path


ROWS = [*rows()]
CASES = {case(*knob[:2]) for knob in (*test_knobs.KNOBS, *test_knobs._KEDA)} | {
    case(*each[1:3]) for each in PLACES_BESIDE
}
each_row = pytest.mark.parametrize("row", ROWS, ids=[row.option for row in ROWS])


def test_every_value_is_in_a_row() -> None:
    told = set().union(*(row.values for row in ROWS))
    assert VALUES - told == set(), "add them to a row of docs/chart-features.md"


@each_row
def test_a_row_answers_for_every_chart(row: Row) -> None:
    assert re.match("(yes|partly|no: .)", row.ours)
    assert all(re.match(r"(yes|partly|no)\b", other) for other in row.others)


@each_row
def test_a_yes_has_a_test_and_a_no_a_reason(row: Row) -> None:
    assert (row.tests == "–") == row.ours.startswith("no: ")
    for name, file in row.links:
        if file == DOCS / "e2e.md":
            assert name in SCENARIOS
            result = json.loads((DOCS / "e2e.json").read_text(encoding="utf-8"))[name]["row"]
            assert not result["broken"], name
            assert not result["not_run"], name
        elif name == "knobs":
            assert row.values & CASES
        else:
            assert f"test_{name.replace(' ', '_')}" in functions(file)


@each_row
def test_what_a_row_names_exists_and_is_tested(row: Row) -> None:
    assert row.values <= VALUES
    assert all((CHART / name).is_file() for name in row.named - row.values - {"config.*"})
    sources = "\n".join(file.read_text(encoding="utf-8") for _, file in row.links)
    for value in row.values - CASES:
        assert re.search(rf"\b{value.rpartition('.')[2]}\b", sources), f"no test of the row sets {value}"


def test_the_values_of_helm_create_exist(tools: Path, tmp_path: Path) -> None:
    subprocess.run([tools / "helm", "create", tmp_path / "starter"], check=True, capture_output=True)
    values = yaml.safe_load((tmp_path / "starter" / "values.yaml").read_text(encoding="utf-8"))
    assert [name for row in ROWS for name in _CODE.findall(row.others[0]) if not has(values, name)] == []


def has(values: Any, path: str) -> bool:
    """Return whether there is a value at a path."""
    for step in path.split("."):
        if step not in values:
            return False
        values = values[step]
    return True


def functions(file: Path) -> set[str]:
    """Return the names of the functions of a module, without those that are skipped."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not any(re.search(r"\bskip\b", ast.unparse(decorator)) for decorator in node.decorator_list)
    }
