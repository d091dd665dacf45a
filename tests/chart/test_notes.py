"""The notes that Helm prints after an installation contain only commands that work for this release."""

import re
from pathlib import Path
from typing import Any

import pytest

from harness.chart_values.examples import IMAGE, MODES
from harness.repository import REPOSITORY
from tests.chart.rendering import Chart, Object, of_kind

EXTERNAL = MODES["external"]
DELETES_THE_DATABASE = {
    "evaluation": "kubectl --namespace shop delete pvc data-items-database-0",
    "cnpg": "kubectl --namespace shop delete clusters.postgresql.cnpg.io items-database",
}


@pytest.fixture(scope="module")
def chart(tools: Path) -> Chart:
    """Return the chart with Helm 4: Helm 3 prints the notes only if it has a cluster."""
    return Chart(tools / "helm", REPOSITORY / "chart")


def notes(chart: Chart, *values: dict[str, Any]) -> tuple[str, list[Object]]:
    """Return the notes of an installation into the namespace `shop`, and the installed objects."""
    merged: dict[str, Any] = {}
    for each in (IMAGE, *values):
        merged |= each
    output = chart.run("install", "items", chart.folder, "--namespace", "shop", "--dry-run=client", values=merged)
    return output.partition("\nNOTES:\n")[2], chart.render(*values, IMAGE, namespace="shop")


@pytest.mark.parametrize("mode", MODES)
def test_every_command_names_this_release_and_what_it_has(chart: Chart, mode: str) -> None:
    said, objects = notes(chart, MODES[mode])
    commands = [line.strip() for line in said.splitlines() if line.startswith("  ")]
    assert all("--namespace shop" in command for command in commands)
    named = re.findall(r"(deployment|service)/(\S+)", said)
    assert {kind for kind, _ in named} == {"deployment", "service"}
    assert all(of_kind(objects, kind.capitalize(), name) for kind, name in named)
    assert "helm test items --namespace shop --logs" in commands
    assert [command for command in DELETES_THE_DATABASE.values() if command in commands] == [
        command for known, command in DELETES_THE_DATABASE.items() if known == mode
    ]
    [logs] = [command for command in commands if " logs " in command]
    selector = dict(label.split("=") for label in logs.rpartition("--selector ")[2].split(","))
    [job] = of_kind(objects, "Job")
    assert selector.items() <= job["spec"]["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"ingress": {"enabled": True, "host": "a.example", "path": "/shop"}}, "http://a.example/shop"),
        (
            {"ingress": {"enabled": True, "host": "a.example", "tlsSecretName": "tls"}},
            "https://a.example/",
        ),
        (
            {"httpRoute": {"enabled": True, "host": "b.example", "parentRefs": [{"name": "gateway"}]}},
            "b.example/",
        ),
        (
            {
                "ingress": {
                    "enabled": True,
                    "hosts": [{"host": "c.example", "paths": [{"path": "/c"}]}],
                    "tls": [{"hosts": ["c.example"], "secretName": "tls"}],
                }
            },
            "https://c.example/c",
        ),
        (
            {"httpRoute": {"enabled": True, "hostnames": ["d.example"], "parentRefs": [{"name": "gateway"}]}},
            "d.example/",
        ),
        ({"service": {"type": "LoadBalancer"}}, "kubectl --namespace shop get service items"),
    ],
)
def test_a_way_to_the_api_is_told_where_there_is_one(chart: Chart, values: dict[str, Any], line: str) -> None:
    assert line in notes(chart, EXTERNAL, values)[0]
    assert line not in notes(chart, EXTERNAL)[0]


def test_what_was_left_out_is_not_offered(chart: Chart) -> None:
    said, _ = notes(chart, EXTERNAL, {"test": {"enabled": False}, "migrations": {"enabled": False}})
    assert "helm test" not in said
    assert " logs " not in said


def test_the_labels_that_prometheus_selects_are_told_with_the_query_that_shows_whether_it_does(chart: Chart) -> None:
    query = 'count(up{namespace="shop",service="items-internal"})'
    monitored = {
        "serviceMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
        "networkPolicy": {"internalFrom": [{"namespaceSelector": {}}]},
    }
    said, objects = notes(chart, EXTERNAL, monitored)
    assert f"  {query}\n" in f"{said}\n"
    assert "the ServiceMonitor, which has none of yours (serviceMonitor.labels)" in said
    assert 'The PrometheusRule has {"release":"prometheus"}' in said
    assert of_kind(objects, "Service", "items-internal")
    assert query not in notes(chart, EXTERNAL)[0]
