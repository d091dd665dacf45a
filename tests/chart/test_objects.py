"""Every documented set of starting values renders valid objects, with Helm 3 and Helm 4."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import kubernetes_validate
import pytest

from harness.chart_values.examples import EVERYTHING, IMAGE, MODES
from tests.chart import custom_resources
from tests.chart.rendering import ENVIRONMENTS, KUBERNETES, Chart, Object, of_kind, one

# Fields that a version of Kubernetes does not know yet; values.yaml says from which on.
NEWER = {"1.29": {"Service": {"trafficDistribution"}}}


def check_schemas(objects: list[Object]) -> set[str]:
    """Validate the objects against Kubernetes' schemas and those of the operators, and return their kinds."""
    for each in objects:
        if each["kind"] in custom_resources.KINDS:
            assert not custom_resources.mistakes(each)
        else:
            for version in KUBERNETES:
                newer = NEWER.get(version, {}).get(each["kind"], set())
                spec = {key: value for key, value in each.get("spec", {}).items() if key not in newer}
                kubernetes_validate.validate({**each, "spec": spec} if newer else each, version, strict=True)
    return {each["kind"] for each in objects}


@pytest.mark.parametrize("mode", MODES)
def test_the_least_values_of_each_mode_make_valid_objects(chart: Chart, mode: str) -> None:
    objects = chart.render(IMAGE, MODES[mode])
    assert check_schemas(objects) >= {"Deployment", "Job", "Pod", "PodDisruptionBudget", "Service", "ServiceAccount"}
    names = [(each["kind"], each["metadata"]["name"]) for each in objects]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("mode", MODES)
def test_everything_turned_on_makes_valid_objects(chart: Chart, mode: str) -> None:
    objects = chart.render(IMAGE, EVERYTHING, MODES[mode])
    checked = check_schemas(objects)
    assert checked >= {"ConfigMap", "HorizontalPodAutoscaler", "Ingress", "NetworkPolicy"}
    assert checked >= {"HTTPRoute", "PrometheusRule", "ServiceMonitor"} | ({"Cluster"} if mode == "cnpg" else set())


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Cluster", "instances", "3"),
        ("Cluster", "instance", 3),
        ("HTTPRoute", "hostnames", ["Not A Host"]),
        ("PrometheusRule", "groups", [{"name": False}]),
        ("ServiceMonitor", "selector", None),
    ],
)
def test_the_operators_schemas_refuse_what_is_wrong(chart: Chart, kind: str, path: str, value: object) -> None:
    custom = one(chart.render(IMAGE, EVERYTHING, MODES["cnpg"]), kind)
    assert not custom_resources.mistakes(custom)
    custom["spec"][path] = value
    assert custom_resources.mistakes(custom)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_environments_of_a_service_make_valid_objects(
    chart: Chart, environment: Callable[[str], list[Path]], name: str
) -> None:
    objects = chart.render({"image": {"tag": "1.0.0"}}, files=environment(name))
    check_schemas(objects)
    assert one(objects, "Ingress")["spec"]["rules"][0]["host"].endswith("items-service.example.com")
    assert bool(of_kind(objects, "StatefulSet")) == (name == "development")
    assert bool(of_kind(objects, "HorizontalPodAutoscaler")) == (name == "production")


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_lint_is_content(chart: Chart, environment: Callable[[str], list[Path]], name: str) -> None:
    files = [option for file in environment(name) for option in ("--values", file)]
    chart.run("lint", "--strict", chart.folder, "--kube-version", "1.34", *files, values={"image": {"tag": "1.0.0"}})


def test_it_works_as_a_subchart(chart: Chart, tmp_path: Path) -> None:
    (tmp_path / "charts").mkdir()
    (tmp_path / "charts" / "items").symlink_to(chart.folder)
    (tmp_path / "Chart.yaml").write_text(
        "apiVersion: v2\nname: parent\nversion: 1.0.0\n"
        "dependencies:\n  - {name: aiohttp-service, version: '>=0-0', alias: items, condition: items.enabled}\n"
    )
    parent = Chart(chart.helm, tmp_path)
    shared = {"region": "eu", "imageRegistry": "mirror.example"}
    values = {"global": shared, "items": {"enabled": True, **IMAGE, **MODES["external"]}}
    deployment = one(parent.render(values), "Deployment")
    assert deployment["metadata"]["name"] == "items"
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"].startswith("mirror.example/example-team/")
    assert not parent.render({"items": {"enabled": False}})
    # With several releases in one chart, each name contains its alias.
    assert one(parent.render(values, release="shop"), "Deployment")["metadata"]["name"] == "shop-items"


def test_the_package_that_a_release_publishes_renders_the_same(chart: Chart, tmp_path: Path) -> None:
    chart.run("package", chart.folder, "--destination", tmp_path)
    [package] = tmp_path.iterdir()
    values = (IMAGE, MODES["external"], EVERYTHING)
    assert Chart(chart.helm, package).text(*values) == chart.text(*values)


def test_what_the_cluster_test_asks_in_vain_is_shown(chart: Chart) -> None:
    """`helm test` fails and prints a line for each request with an unexpected response."""
    script = one(chart.render(IMAGE, MODES["external"]), "Pod")["spec"]["containers"][0]["args"][0]
    requests = '[{"method": "GET", "path": "/", "status": 200}]'
    nowhere = "http://127.0.0.1:1"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"API": nowhere, "INTERNAL": nowhere, "REQUESTS": requests},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout.count("FAILED") == 3
    assert "3 of 3 requests failed" in done.stdout
