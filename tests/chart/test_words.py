"""Strings from outside stay strings, whatever YAML reads in them."""

import re
from collections.abc import Iterator
from typing import Any

import yaml
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from harness.chart_values.examples import EVERYTHING, IMAGE, MODES
from harness.chart_values.places import VALUES
from harness.chart_values.words import LABEL_KEYS, MISREAD, WORDS
from harness.values import merge
from tests.chart.rendering import Chart
from tests.chart.test_objects import check_schemas

RELEASES = ["no", "on", "yes", "off", "y", "n", "null", "e3", "nan"]
NAMESPACES = [*RELEASES, "1e3", "4711", "0x1f", "017"]
# Images without a version and small volumes are refused, and a name hides that of the release.
FIXED = {("evaluation", "image"), ("evaluation", "storageSize"), ("cnpg", "storageSize"), ("fullnameOverride",)}
# Names in objects whose fields the chart's schema does not know.
NAMES = [word for word in MISREAD if re.fullmatch(r"[a-z0-9]+", word)]


def takes(rule: dict[str, Any], word: str) -> bool:
    """Return whether the schema of a string takes a word."""
    low, high = rule.get("minLength", 0), rule.get("maxLength", 1000)
    return low <= len(word) <= high and bool(re.search(rule.get("pattern", ""), word))


def _strings(rule: dict[str, Any]) -> st.SearchStrategy[Any] | None:
    """Return a strategy for strings, or for a list or a table of them; None if the rule is of something else."""
    match rule:
        case {"enum": _}:
            return None
        case {"type": "string"}:
            fitting = [word for word in WORDS if takes(rule, word)]
            return st.sampled_from(fitting) if fitting else None
        case {"type": "array", "items": {"type": "string"} as items}:
            inner = _strings(items)
            return None if inner is None else st.lists(inner, min_size=1, max_size=2)
        case {"type": "object", "patternProperties": dict(patterns)} if {"type": "string"} in patterns.values():
            keys = [key for key in LABEL_KEYS if all(re.search(pattern, key) for pattern in patterns)]
            return st.dictionaries(st.sampled_from(keys), st.sampled_from(WORDS), min_size=1, max_size=3)
        case {"type": "object", "additionalProperties": {"type": "string"} as items}:
            inner = _strings(items)
            return (
                None if inner is None else st.dictionaries(st.sampled_from(LABEL_KEYS), inner, min_size=1, max_size=3)
            )
    return None


def drawn() -> dict[tuple[str, ...], st.SearchStrategy[Any]]:
    """Return a strategy for each value that is made of strings, by its path."""
    found = {path: _strings(rule) for path, rule in VALUES.items() if path not in FIXED}
    return {path: each for path, each in found.items() if each is not None}


@st.composite
def values(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the values of a database mode with all features enabled, and a word in each place for a string."""
    chosen = merge(merge(IMAGE, EVERYTHING), MODES[draw(st.sampled_from([*MODES]))])
    for path, words in drawn().items():
        one = draw(words)
        for step in reversed(path):
            one = {step: one}
        chosen = merge(chosen, one)
    name, word = draw(st.sampled_from(NAMES)), draw(st.sampled_from(WORDS))
    ingress_hosts = {chosen["ingress"]["host"], name}  # of the Ingress alone
    hostnames = [each for each in chosen["httpRoute"]["hostnames"] if each not in ingress_hosts]
    container = {"image": word, "args": [word], "env": [{"name": "A", "value": word}]}
    return merge(
        chosen,
        {
            "extraEnv": [{"name": "A", "value": word}],
            "extraEnvFrom": [{"configMapRef": {"name": name}}],
            "extraVolumes": [{"name": name, "configMap": {"name": name}}],
            "extraVolumeMounts": [{"name": name, "mountPath": f"/{name}"}],
            "initContainers": [{"name": name, **container}],
            "sidecars": [{"name": f"{name}-2", **container}],
            "image": {"pullSecrets": [{"name": name}]},
            "global": {"imagePullSecrets": [name]},
            "service": {"type": "LoadBalancer"},
            "ingress": {"hosts": [{"host": name}], "tls": [{"hosts": [name], "secretName": name}]},
            "keda": {"enabled": draw(st.booleans()), "triggers": [{"type": name, "metadata": {"a": word}}]},
            "migrations": {"hook": False},  # a hook cannot have the release's service account
            "tolerations": [{"key": name, "value": name, "effect": "NoSchedule"}],
            "httpRoute": {
                "host": "b.example",
                "hostnames": hostnames,
                "parentRefs": [{"name": name, "namespace": name, "sectionName": name}],
            },
            "test": {"requests": [{"method": "POST", "path": "/a", "body": word, "status": 200}]},
        },
    )


def plain(text: str) -> Iterator[str]:
    """Yield the scalars of YAML documents that are not quoted, keys included."""
    nodes = list(yaml.compose_all(text))
    while nodes:
        match nodes.pop():
            case yaml.ScalarNode(style=None, value=value):
                yield value
            case yaml.SequenceNode(value=inner):
                nodes += inner
            case yaml.MappingNode(value=pairs):
                nodes += [node for pair in pairs for node in pair]


def test_words_that_yaml_reads_otherwise_are_quoted_wherever_they_come_from(chart: Chart) -> None:
    @settings(max_examples=15, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
    @given(values(), st.sampled_from(RELEASES), st.sampled_from(NAMESPACES))
    def holds(given_values: dict[str, Any], release: str, namespace: str) -> None:
        text = chart.text(given_values, release=release, namespace=namespace)
        assert set(plain(text)) & set(MISREAD) == set()
        check_schemas([each for each in yaml.safe_load_all(text) if each])

    holds()


def test_every_place_for_a_string_is_drawn() -> None:
    """A string that takes none of the words, such as a URL, has a pattern that keeps it a string."""
    strings = {path for path, rule in VALUES.items() if rule.get("type") == "string"} - FIXED
    assert {".".join(path) for path in strings - drawn().keys()} == {
        "auth.jwksUrl",
        "evaluation.password",
        "httpRoute.path",
        "httpRoute.timeouts.backendRequest",
        "httpRoute.timeouts.request",
        "image.digest",
        "image.repository",
        "ingress.path",
        "prometheusRule.runbookUrl",
        "serviceMonitor.interval",
        "serviceMonitor.scrapeTimeout",
        "tracing.endpoint",
    }
