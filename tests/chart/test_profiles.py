"""The profiles of sizes in chart/profiles fit every service that they apply to; the article's have its sizes."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks import judge, sizing
from benchmarks.results import Results
from benchmarks.sizing import RESULTS
from harness.chart_values.examples import IMAGE, MODES
from harness.repository import REPOSITORY
from tests.chart.rendering import Chart, Object, of_kind, one
from tests.chart.test_objects import check_schemas

FOLDER = REPOSITORY / "chart" / "profiles"
BALANCERS = ["alb", "gke", "nlb"]  # of load balancers outside the cluster, not of sizes: test_balancers.py
PROFILES = sorted({path.stem for path in FOLDER.glob("*.yaml")} - {*BALANCERS})
MEASURED = ["small", "medium", "large"]
# Number of pods, and the limits of all of them together: cores and MiB.
ARTICLE = {
    "article-bare": (10, 7.0, 5 * 1024),
    "article-gunicorn-1": (10, 7.0, 5 * 1024),
    "article-gunicorn-11": (2, 10.0, 6 * 1024),
}
GUNICORN = {"gunicorn": {"available": True}}
SIZES = {"replicas", "autoscaling", "gunicorn", "config.databasePoolSize", "config.databaseStreamPoolSize", "resources"}


def settings(profile: str) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((FOLDER / f"{profile}.yaml").read_text(encoding="utf-8"))
    return values


def names(values: dict[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        yield from (f"config.{setting}" for setting in value) if name == "config" else [name]


def container(objects: list[Object]) -> Object:
    [found] = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    return dict(found)


def cores(quantity: str) -> float:
    return int(quantity.removesuffix("m")) / 1000


def mebibytes(quantity: str) -> int:
    return int(quantity.removesuffix("Mi"))


def test_all_are_there() -> None:
    assert set(PROFILES) == {*ARTICLE, *MEASURED}
    assert all((FOLDER / f"{name}.yaml").is_file() for name in BALANCERS)


@pytest.mark.parametrize("profile", PROFILES)
def test_it_holds_sizes_and_nothing_else(profile: str) -> None:
    assert set(names(settings(profile))) <= SIZES


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("profile", PROFILES)
def test_it_goes_with_every_database(chart: Chart, profile: str, mode: str) -> None:
    check_schemas(chart.render(IMAGE, MODES[mode], GUNICORN, settings(profile)))


@pytest.mark.parametrize("environment_name", ["staging", "production"])
@pytest.mark.parametrize("profile", PROFILES)
def test_it_wins_over_an_environment(
    chart: Chart, environment: Callable[[str], list[Path]], profile: str, environment_name: str
) -> None:
    """A profile comes after the values of an environment, so its replicas have precedence."""
    files = [*environment(environment_name), FOLDER / f"{profile}.yaml"]
    objects = chart.render({"image": {"tag": "1.0.0"}}, GUNICORN, files=files)
    check_schemas(objects)
    values = settings(profile)
    scaled = values["autoscaling"]["enabled"]
    assert one(objects, "Deployment")["spec"].get("replicas") == (None if scaled else values["replicas"])
    if scaled:
        autoscaler = one(objects, "HorizontalPodAutoscaler")["spec"]
        assert autoscaler["minReplicas"] == values["autoscaling"]["minReplicas"]
        assert autoscaler["maxReplicas"] == values["autoscaling"]["maxReplicas"]
    else:
        assert not of_kind(objects, "HorizontalPodAutoscaler")
    assert container(objects)["resources"] == values["resources"]


@pytest.mark.parametrize("profile", ARTICLE)
def test_the_article_s_totals(chart: Chart, profile: str) -> None:
    pods, all_cores, all_mebibytes = ARTICLE[profile]
    objects = chart.render(IMAGE, MODES["external"], GUNICORN, settings(profile))
    assert one(objects, "Deployment")["spec"]["replicas"] == pods
    limits = container(objects)["resources"]["limits"]
    assert pods * cores(limits["cpu"]) == all_cores
    assert pods * mebibytes(limits["memory"]) == all_mebibytes


@pytest.mark.parametrize(("profile", "workers"), [("article-gunicorn-1", "1"), ("article-gunicorn-11", "11")])
def test_gunicorn_s_have_its_workers_and_need_a_service_with_it(chart: Chart, profile: str, workers: str) -> None:
    started = container(chart.render(IMAGE, MODES["external"], GUNICORN, settings(profile)))
    assert started["command"][0] == "gunicorn"
    assert {"name": "WEB_CONCURRENCY", "value": workers} in started["env"]
    message = chart.refusal(IMAGE, MODES["external"], settings(profile))
    assert "gunicorn.enabled is true but gunicorn.available is false" in message


def test_the_article_s_first_is_without_gunicorn_even_where_a_service_uses_it(chart: Chart) -> None:
    values = {"gunicorn": {"available": True, "enabled": True}}
    started = container(chart.render(IMAGE, MODES["external"], values, settings("article-bare")))
    assert started["command"] == ["python", "-m", "app"]


@pytest.mark.parametrize("profile", MEASURED)
def test_measured_sizes_leave_the_cpu_unlimited_and_a_core_under_70_percent(profile: str) -> None:
    values = settings(profile)
    assert values["resources"]["limits"].keys() == {"memory"}
    if values["autoscaling"]["enabled"]:
        assert values["autoscaling"]["targetCPUUtilizationPercentage"] == 100 * sizing.CPU_SHARE
        assert cores(values["resources"]["requests"]["cpu"]) <= 1


@pytest.mark.skipif(not RESULTS.exists(), reason="no results are kept yet")
@pytest.mark.parametrize("profile", MEASURED)
def test_measured_sizes_follow_from_the_benchmark(profile: str) -> None:
    """If this fails after a benchmark, write the new sizes into the profile."""
    values, costs = settings(profile), sizing.costs(judge.good(Results.load(RESULTS)))
    assert costs
    assert values["resources"]["requests"]["memory"] == f"{costs.memory_request_mib}Mi"
    assert values["resources"]["limits"]["memory"] == f"{costs.memory_limit_mib}Mi"
    assert values["config"] == {
        "databasePoolSize": sizing.POOL_SIZE,
        "databaseStreamPoolSize": sizing.STREAM_POOL_SIZE,
    }
    pods = values["autoscaling"].get("maxReplicas") or values["replicas"]
    assert sizing.connections(pods) <= sizing.MAX_CONNECTIONS
