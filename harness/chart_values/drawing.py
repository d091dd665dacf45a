"""Draws values of the chart at any depth, following its schema. Most are accepted, some are not."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from harness.chart_values.examples import EVERYTHING, IMAGE, INSTEAD, MODES
from harness.chart_values.forms import FORMS
from harness.chart_values.places import VALUES, Path, Rule, at, nested, places_in, resolved
from harness.chart_values.words import LABEL_KEYS, WORDS
from harness.repository import REPOSITORY
from harness.values import Values, merge

_DEFAULTS: Values = yaml.safe_load((REPOSITORY / "chart" / "values.yaml").read_text(encoding="utf-8"))
_CHANGES = 5
_POOL = 24
# Most keys are labels, resources or file names.
_KEYS = [
    *LABEL_KEYS,
    "cpu",
    "memory",
    "ephemeral-storage",
    "example.com/gpu",
    "hugepages-2Mi",
    "rules.yaml",
    "request",
    "a",
    "..",
    "a b",
]
_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20)
# Invalid for nearly every value of the chart.
_WRONG = [None, -1, 0.5, "", "no such value!", [1], {"a": {"b": 1}}, True, {"unknownKey": "a"}]
_BASES: list[Values] = [{}, EVERYTHING, merge(EVERYTHING, INSTEAD)]


@dataclass(frozen=True)
class Drawn:
    """A set of values.

    Attributes:
        changes: the part of the values that was drawn.
    """

    values: Values
    changes: Values

    @property
    def places(self) -> set[Path]:
        """The places, of `places.PLACES`, that were drawn and differ from the default."""
        return {place for place in places_in(self.changes) if not self._is_default(place)}

    def _is_default(self, place: Path) -> bool:
        return "*" not in place and at(self.changes, place) == at(_DEFAULTS, place)


class Walk:
    """Draws sets of values: each changes a handful of values, and every value has its turn.

    Args:
        seed: the same one draws the same sets, with the same version of Hypothesis.
    """

    def __init__(self, seed: str) -> None:
        self._random = Random(seed)
        self._pools: dict[Path, Iterator[Any]] = {}
        self._turns = self._forever()

    def draw(self) -> Drawn:
        """Draw a set of values, one in eight with a value that is most likely wrong."""
        changes: Values = {}
        for _ in range(_CHANGES):
            path = next(self._turns)
            changes = merge(changes, nested(path, self._value(path)))
        if self._random.random() < 1 / 8:
            path = self._random.choice([*VALUES])
            wrong = FORMS[path].wrong if path in FORMS else _WRONG
            changes = merge(changes, nested(path, self._random.choice(wrong)))
        return self._set(changes)

    def draw_for(self, place: Path) -> Drawn:
        """Draw a set of values that changes only the value at a place."""
        path = next(path for length in range(len(place) + 1) if (path := place[:length]) in VALUES)
        return self._set(nested(path, self._value(path)))

    def _forever(self) -> Iterator[Path]:
        while True:
            yield from self._random.sample([*VALUES], len(VALUES))

    def _set(self, changes: Values) -> Drawn:
        base = merge(IMAGE, self._random.choice(_BASES))
        return Drawn(merge(merge(base, MODES[self._random.choice([*MODES])]), changes), changes)

    def _value(self, path: Path) -> Any:
        if path not in self._pools:
            drawn = _examples(_strategy(VALUES[path], path), self._random.getrandbits(64))
            self._random.shuffle(drawn)  # Hypothesis begins with the simplest
            self._pools[path] = iter(drawn)
        try:
            return next(self._pools[path])
        except StopIteration:
            del self._pools[path]
            return self._value(path)


def _examples(strategy: st.SearchStrategy[Any], number: int) -> list[Any]:
    drawn: list[Any] = []

    @seed(number)
    @settings(
        max_examples=_POOL, phases=[Phase.generate], database=None, deadline=None, suppress_health_check=[*HealthCheck]
    )
    @given(strategy)
    def collect(value: Any) -> None:
        drawn.append(value)

    collect()
    return drawn


def _strategy(rule: Rule, path: Path) -> st.SearchStrategy[Any]:
    """Return a strategy for what the schema allows at a path."""
    if path in FORMS:
        return st.sampled_from(FORMS[path].drawn)
    rule = resolved(rule)
    if "enum" in rule:
        return st.sampled_from(rule["enum"])
    if "anyOf" in rule:
        return st.one_of([_strategy(each, path) for each in rule["anyOf"]])
    kinds = rule.get("type", "string")
    if isinstance(kinds, list):
        return st.one_of([_strategy({**rule, "type": kind}, path) for kind in kinds])
    match kinds:
        case "boolean":
            return st.booleans()
        case "integer":
            return st.one_of(_near(at(_DEFAULTS, path), rule), _integers(rule))
        case "number":
            return st.one_of(_near(at(_DEFAULTS, path), rule), _numbers(rule))
        case "string":
            return _strings(rule)
        case "array":
            items = _strategy(rule["items"], (*path, "*"))
            low, high = rule.get("minItems", 0), rule.get("maxItems", 3)
            unique = repr if rule.get("uniqueItems") or (*path, "*") in FORMS else None
            return st.lists(items, min_size=low, max_size=high, unique_by=unique)
        case _:
            return _tables(rule, path)


def _tables(rule: Rule, path: Path) -> st.SearchStrategy[Any]:
    known = {name: _strategy(each, (*path, name)) for name, each in rule.get("properties", {}).items()}
    required = rule.get("required", [])
    optional = {name: each for name, each in known.items() if name not in required}
    fixed = st.fixed_dictionaries({name: known[name] for name in required}, optional=optional)
    patterns = {pattern: each for pattern, each in rule.get("patternProperties", {}).items() if each is not False}
    if isinstance(rule.get("additionalProperties"), dict):
        patterns = {"": rule["additionalProperties"]}
    tables = [fixed]
    for pattern, each in patterns.items():
        keys = st.sampled_from([key for key in _KEYS if re.search(pattern, key)])
        tables.append(st.dictionaries(keys, _strategy(each, (*path, "*")), max_size=2))
    return st.tuples(*tables).map(lambda drawn: {key: value for table in drawn for key, value in table.items()})


def _near(default: Any, rule: Rule) -> st.SearchStrategy[int]:
    """Return a strategy for whole numbers around the default, which most often fit the other values."""
    if not isinstance(default, int) or isinstance(default, bool):
        return st.nothing()
    low, high = math.ceil(rule.get("minimum", 0)), rule.get("maximum", default * 2)
    return st.integers(max(low, default // 2), max(low, min(high, default * 2)))


def _integers(rule: Rule) -> st.SearchStrategy[int]:
    low, high = rule.get("minimum", 0), rule.get("maximum", 10**9)
    return st.one_of(st.integers(low, min(low + 10, high)), st.integers(low, high))


def _numbers(rule: Rule) -> st.SearchStrategy[float]:
    low: Any = rule.get("minimum", rule.get("exclusiveMinimum", 0))
    high: Any = rule.get("maximum", rule.get("exclusiveMaximum", 10**9))
    over, under = "exclusiveMinimum" in rule, "exclusiveMaximum" in rule
    near = st.floats(low, min(low + 10, high), exclude_min=over, exclude_max=under)
    return st.one_of(
        near, st.floats(low, high, exclude_min=over, exclude_max=under), st.integers(int(low) + 1, int(high))
    )


def _strings(rule: Rule) -> st.SearchStrategy[str]:
    words = [word for word in WORDS if _takes(rule, word)]
    if "pattern" not in rule:
        drawn = st.one_of(st.sampled_from(words), _TEXT) if words else _TEXT
    else:
        alphabet = st.characters(codec="ascii", exclude_categories=["Cc"])
        drawn = st.from_regex(rule["pattern"], alphabet=alphabet)
        drawn = st.one_of(st.sampled_from(words), drawn) if words else drawn
    return drawn.filter(lambda text: _takes(rule, text))


def _takes(rule: Rule, word: str) -> bool:
    """Return whether the rule of a string takes a word."""
    low, high = rule.get("minLength", 0), rule.get("maxLength", 200)
    refused = word in rule.get("not", {}).get("enum", [])
    found = re.search(rule.get("pattern", ""), word)
    return low <= len(word) <= high and found is not None and not refused and not word.endswith("\n")
