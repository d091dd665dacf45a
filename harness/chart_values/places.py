"""The values of the chart's schema by their paths. In a path, `*` is any item of a list or any key of a table."""

import json
from collections.abc import Iterator
from typing import Any, TypeAlias

from harness.chart_values.forms import FORMS
from harness.repository import REPOSITORY

Path: TypeAlias = tuple[str, ...]
Rule: TypeAlias = dict[str, Any]

SCHEMA: Rule = json.loads((REPOSITORY / "chart" / "values.schema.json").read_text(encoding="utf-8"))


def resolved(rule: Rule) -> Rule:
    """Return the rule that a reference names, or the rule itself."""
    while "$ref" in rule:
        rule = SCHEMA["definitions"][rule["$ref"].rpartition("/")[2]]
    return rule


def _values(rule: Rule, path: Path = ()) -> Iterator[tuple[Path, Rule]]:
    """Yield each value that a user sets as a whole: a scalar, a list, or a table of any or dependent keys."""
    rule = resolved(rule)
    if path in FORMS or "properties" not in rule or "dependencies" in rule:
        yield path, rule
    else:
        for name, inner in rule["properties"].items():
            yield from _values(inner, (*path, name))


def _places(rule: Rule, path: Path) -> Iterator[Path]:
    """Yield the places of scalars in a value, and of what has forms in place of a rule."""
    rule = resolved(rule)
    if path in FORMS:
        yield path
        return
    inner = [((*path, name), each) for name, each in rule.get("properties", {}).items()]
    inner += [((*path, "*"), rule[key]) for key in ("items", "additionalProperties") if isinstance(rule.get(key), dict)]
    inner += [((*path, "*"), each) for each in rule.get("patternProperties", {}).values() if each is not False]
    inner += [(path, each) for each in rule.get("anyOf", [])]
    if not inner:
        yield path
    for at, each in inner:
        yield from _places(each, at)


VALUES: dict[Path, Rule] = dict(_values(SCHEMA))
"""The rules of the values that a user sets as a whole, by path: no path has a `*`."""

PLACES = {place for path, rule in VALUES.items() for place in _places(rule, path)}
"""All places for a scalar, at any depth."""

_BEGINNINGS = {place[:length] for place in PLACES for length in range(len(place) + 1)}


def places_in(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the places of `PLACES` that a part of the values sets. `path` is where this part belongs."""
    if path in PLACES:
        yield path
    if path in FORMS:
        return
    for key, inner in value.items() if isinstance(value, dict) else [("*", each) for each in as_list(value)]:
        step = next((step for step in (str(key), "*") if (*path, step) in _BEGINNINGS), None)
        if step:
            yield from places_in(inner, (*path, step))


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def nested(path: Path, value: Any) -> dict[str, Any]:
    """Return the values that set one value."""
    for step in reversed(path):
        value = {step: value}
    return dict(value)


def at(values: dict[str, Any], path: Path) -> Any:
    """Return the value at a path without `*`; None if there is none."""
    found: Any = values
    for step in path:
        found = found.get(step) if isinstance(found, dict) else None
    return found
