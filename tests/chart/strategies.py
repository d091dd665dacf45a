"""Hypothesis strategies for values, derived from the chart's schema. Most values are valid, some are not."""

import json
from typing import Any

import yaml
from hypothesis import strategies as st

from harness.repository import REPOSITORY
from harness.values import merge
from tests.chart.rendering import EVERYTHING, IMAGE, MODES

_CHART = REPOSITORY / "chart"
_SCHEMA: dict[str, Any] = json.loads((_CHART / "values.schema.json").read_text(encoding="utf-8"))
_DEFAULTS: dict[str, Any] = yaml.safe_load((_CHART / "values.yaml").read_text(encoding="utf-8"))
_UNKNOWN = "unknownKey"
# Invalid for nearly every value of the chart.
_WRONG = st.sampled_from([None, -1, 0.5, "", "no such value!", [1], {"a": {"b": 1}}, True])
_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20)


def _leaves() -> dict[tuple[str, ...], Any]:
    """Return the schema of each value, by its path."""
    found: dict[tuple[str, ...], Any] = {}
    for name, rule in _SCHEMA["properties"].items():
        inner = rule.get("properties")
        found |= {(name, key): each for key, each in inner.items()} if inner else {(name,): rule}
    return found


LEAVES = _leaves()


def _at(values: dict[str, Any], path: tuple[str, ...]) -> Any:
    for step in path:
        values = values.get(step, {})
    return values


def _allowed(rule: dict[str, Any], default: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for what the schema allows. Values whose format only Kubernetes knows keep their default."""
    if "enum" in rule:
        return st.sampled_from(rule["enum"])
    match rule.get("type"):
        case "boolean":
            return st.booleans()
        case "integer":
            low, high = rule.get("minimum", 0), rule.get("maximum", 10**9)
            return st.one_of(st.integers(low, min(low + 10, high)), st.integers(low, high))
        case "number":
            low = rule.get("minimum", rule.get("exclusiveMinimum", 0))
            high = rule.get("maximum", rule.get("exclusiveMaximum", 10))
            exclusive = "exclusiveMinimum" in rule
            return st.floats(low, min(high, 100), exclude_min=exclusive, exclude_max="exclusiveMaximum" in rule)
        case "string":
            pattern = st.from_regex(rule["pattern"], fullmatch=True) if "pattern" in rule else _TEXT
            return pattern.filter(lambda text: rule.get("minLength", 0) <= len(text) <= rule.get("maxLength", 200))
        case "array" if rule["items"].get("type") in {"string", "integer"}:
            size = {"min_size": rule.get("minItems", 0), "max_size": 3, "unique": rule.get("uniqueItems", False)}
            return st.lists(_allowed(rule["items"], None), **size)
        case "object" if isinstance(rule.get("additionalProperties"), dict):
            keys = st.from_regex(r"[a-z]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
            return st.dictionaries(keys, _allowed(rule["additionalProperties"], None), max_size=2)
    return st.just(default)


@st.composite
def values(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the minimal values of a database mode, and some other values."""
    chosen = merge(IMAGE, MODES[draw(st.sampled_from([*MODES]))])
    for path in draw(st.lists(st.sampled_from([*LEAVES]), max_size=5, unique=True)):
        default = _at(_DEFAULTS, path)
        known = [st.just(default), st.just(_at(EVERYTHING, path) or default)]
        one = draw(st.one_of(*known, _allowed(LEAVES[path], default), _allowed(LEAVES[path], default)))
        for step in reversed(path):
            one = {step: one}
        chosen = merge(chosen, one)
    if draw(st.integers(0, 9)) == 0:
        path = draw(st.sampled_from([*LEAVES, (_UNKNOWN,), ("image", _UNKNOWN)]))
        wrong: Any = draw(_WRONG)
        for step in reversed(path):
            wrong = {step: wrong}
        chosen = merge(chosen, wrong)
    return chosen
