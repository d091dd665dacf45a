"""The profiles of load balancers outside the cluster: their times fit each other and the service's."""

import re

import pytest

from harness.chart_values.examples import IMAGE, MODES
from tests.chart.rendering import Chart, Object, environment_of, of_kind, one
from tests.chart.test_knobs import at
from tests.chart.test_objects import check_schemas
from tests.chart.test_profiles import BALANCERS, FOLDER, settings

# What an environment sets: the host, and the Gateway.
ENVIRONMENT = {
    "ingress": {"host": "items.example.com"},
    "httpRoute": {"host": "items.example.org", "parentRefs": [{"name": "gateway"}]},
}
NLB = "service.beta.kubernetes.io/aws-load-balancer-"
ALB = "alb.ingress.kubernetes.io/"


def render(chart: Chart, profile: str) -> list[Object]:
    return chart.render(IMAGE, MODES["external"], ENVIRONMENT, settings(profile))


def seconds_in(attributes: str) -> float:
    """Return the number of an attribute such as `idle_timeout.timeout_seconds=60`."""
    return float(attributes.partition("=")[2])


def times(objects: list[Object], profile: str) -> dict[str, float]:
    """Return the balancer's seconds: until a pod is healthy, for requests in flight, and for idle connections."""
    if profile == "gke":
        check = one(objects, "HealthCheckPolicy")["spec"]["default"]
        backend = one(objects, "GCPBackendPolicy")["spec"]["default"]
        return {
            "healthy": check["checkIntervalSec"] * check["healthyThreshold"],
            "in flight": backend["connectionDraining"]["drainingTimeoutSec"],
            "idle": 600,
        }
    if profile == "alb":
        found = one(objects, "Ingress")["metadata"]["annotations"]
        return {
            "healthy": int(found[f"{ALB}healthcheck-interval-seconds"]) * int(found[f"{ALB}healthy-threshold-count"]),
            "in flight": seconds_in(found[f"{ALB}target-group-attributes"]),
            "idle": seconds_in(found[f"{ALB}load-balancer-attributes"]),
        }
    found = one(objects, "Service", "items")["metadata"]["annotations"]
    return {
        "healthy": int(found[f"{NLB}healthcheck-interval"]) * int(found[f"{NLB}healthcheck-healthy-threshold"]),
        "in flight": seconds_in(found[f"{NLB}target-group-attributes"]),
        "idle": 0,  # it passes the end of a connection on, so that the pod may close first
    }


@pytest.mark.parametrize("profile", BALANCERS)
def test_its_times_fit_the_service_s(chart: Chart, profile: str) -> None:
    objects = render(chart, profile)
    balancer, service = times(objects, profile), environment_of(objects)
    deployment = one(objects, "Deployment")["spec"]
    assert 25 <= float(service["DRAIN_SECONDS"]) <= 120
    assert float(service["KEEP_ALIVE_TIMEOUT_SECONDS"]) > balancer["idle"]
    assert balancer["in flight"] >= float(service["REQUEST_TIMEOUT_SECONDS"])
    assert deployment["minReadySeconds"] > balancer["healthy"]
    grace = deployment["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace == float(service["DRAIN_SECONDS"]) + float(service["REQUEST_TIMEOUT_SECONDS"]) + 10
    assert f"= {grace} s" in (FOLDER / f"{profile}.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("profile", BALANCERS)
def test_it_asks_the_port_of_the_api(chart: Chart, profile: str) -> None:
    """A NetworkPolicy keeps the balancer away from the internal port."""
    text = str(render(chart, profile))
    assert "/openapi.json" in text
    assert not re.search(r"healthcheck-port|'port': 8081, 'requestPath'", text)


def test_the_objects_of_each_are_there(chart: Chart) -> None:
    assert at(one(render(chart, "alb"), "Ingress"), "spec.ingressClassName") == "alb"
    assert at(one(render(chart, "nlb"), "Service", "items"), "spec.loadBalancerClass") == "service.k8s.aws/nlb"
    google = render(chart, "gke")
    for kind in ("HealthCheckPolicy", "GCPBackendPolicy"):
        assert at(one(google, kind), "spec.targetRef") == {"group": "", "kind": "Service", "name": "items"}
    assert of_kind(google, "HTTPRoute")


@pytest.mark.parametrize("profile", BALANCERS)
@pytest.mark.parametrize("mode", MODES)
def test_it_goes_with_every_database(chart: Chart, profile: str, mode: str) -> None:
    objects = chart.render(IMAGE, MODES[mode], ENVIRONMENT, settings(profile))
    check_schemas([each for each in objects if "networking.gke.io" not in each["apiVersion"]])
