"""The connections that the chart's NetworkPolicies allow, between all pods of a release and relevant other places."""

from dataclasses import replace
from typing import Any

import pytest

from harness.chart_values.examples import EVERYTHING, IMAGE, MODES
from tests.chart.network import Network, Place, places
from tests.chart.rendering import Chart, Object, of_kind, one

EXTERNAL = MODES["external"]

# The surroundings of a release: pods in the same and in other namespaces, and addresses outside of the cluster.
AROUND = {
    "ingress": Place("ingress-nginx", {"app": "controller"}),
    "monitoring": Place("monitoring", {"app": "prometheus"}),
    "shop": Place("shop", {"app": "shop"}),
    "shop's cache": Place("shop", {"app": "cache"}),
    "neighbour": Place("default", {"app": "neighbour"}),
    "dns": Place("kube-system", {"k8s-app": "kube-dns"}),
    "collector": Place("observability", {"app": "collector"}),
    "issuer": Place(address="192.0.2.1"),
    "internet": Place(address="203.0.113.7"),
}
# Possible targets of a connection: place, port, protocol.
ENDPOINTS = {
    "dns": ("dns", 53, "UDP"),
    "dns by TCP": ("dns", 53, "TCP"),
    "dns on 5353": ("dns", 5353, "UDP"),
    "dns on 5353 by TCP": ("dns", 5353, "TCP"),
    "api": ("service", 8080, "TCP"),
    "internal": ("service", 8081, "TCP"),
    "migration": ("migration", 8080, "TCP"),
    "test": ("test", 8080, "TCP"),
    "database": ("database", 5432, "TCP"),
    "database's pooler": ("database", 6432, "TCP"),
    "any 5432": ("internet", 5432, "TCP"),
    "issuer": ("issuer", 8443, "TCP"),
    "any 8443": ("internet", 8443, "TCP"),
    "collector": ("collector", 4318, "TCP"),
    "any 4318": ("internet", 4318, "TCP"),
    "any 443": ("internet", 443, "TCP"),
    "neighbour": ("neighbour", 8080, "TCP"),
}
DNS = {"dns", "dns by TCP"}
AUTH_AND_TRACING = {"auth": EVERYTHING["auth"], "tracing": EVERYTHING["tracing"]}
DENY_ALL: Object = {"metadata": {}, "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}}


def in_namespace(name: str, **labels: str) -> Object:
    """Return a peer: all pods of a namespace, or its pods with the given labels."""
    peer: Object = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}
    return {**peer, "podSelector": {"matchLabels": labels}} if labels else peer


class Reach:
    """The connections that are possible with a release in the namespace `default`, and its copy in `twin`."""

    def __init__(self, objects: list[Object], *more: Object) -> None:
        made = dict(places(objects))
        twins = {f"twin's {name}": replace(place, namespace="twin") for name, place in made.items()}
        self.places = {"database": database(objects), **AROUND, **made, **twins}
        self.network = Network([*of_kind(objects, "NetworkPolicy"), *more])

    def callers_of(self, endpoint: str) -> set[str]:
        return {name for name in self.places if self._allows(name, endpoint)}

    def reached_by(self, caller: str) -> set[str]:
        return {endpoint for endpoint in ENDPOINTS if self._allows(caller, endpoint)}

    def everybody_but(self, *names: str) -> set[str]:
        return self.places.keys() - set(names)

    def _allows(self, caller: str, endpoint: str) -> bool:
        target, port, protocol = ENDPOINTS[endpoint]
        return self.network.allows(self.places[caller], self.places[target], port, protocol)


def database(objects: list[Object]) -> Place:
    """Return the database outside of the chart: the operator's pod if there is a Cluster, otherwise another host."""
    if clusters := of_kind(objects, "Cluster"):
        return Place("default", {"cnpg.io/cluster": clusters[0]["metadata"]["name"]})
    return Place(address="10.1.2.3")


@pytest.mark.parametrize("mode", MODES)
def test_the_api_is_open_and_the_internal_port_shut_by_default(chart: Chart, mode: str) -> None:
    reach = Reach(chart.render(IMAGE, MODES[mode]))
    # Places whose own policies allow other targets only.
    kept_in = {"service", "migration"} | ({"database"} if mode == "evaluation" else set())
    assert reach.callers_of("api") == reach.everybody_but(*kept_in)
    assert reach.callers_of("internal") == {"test"}


def test_the_api_is_left_to_the_callers_that_are_named(chart: Chart) -> None:
    peers = [in_namespace("ingress-nginx"), in_namespace("shop", app="shop")]
    reach = Reach(chart.render(IMAGE, EXTERNAL, {"networkPolicy": {"apiFrom": peers}}))
    assert reach.callers_of("api") == {"test", "ingress", "shop"}
    assert reach.callers_of("internal") == {"test"}


def test_the_internal_port_is_left_to_monitoring_that_is_named(chart: Chart) -> None:
    reach = Reach(chart.render(IMAGE, EXTERNAL, {"networkPolicy": {"internalFrom": [in_namespace("monitoring")]}}))
    assert reach.callers_of("internal") == {"test", "monitoring"}
    assert reach.callers_of("api") == reach.everybody_but("service", "migration")


def test_who_may_ask_one_port_may_not_ask_the_other(chart: Chart) -> None:
    peers = {"apiFrom": [in_namespace("ingress-nginx")], "internalFrom": [in_namespace("monitoring")]}
    reach = Reach(chart.render(IMAGE, EXTERNAL, {"networkPolicy": peers}))
    assert reach.callers_of("api") == {"test", "ingress"}
    assert reach.callers_of("internal") == {"test", "monitoring"}


@pytest.mark.parametrize(
    ("mode", "databases"),
    [("external", {"database", "any 5432"}), ("cnpg", {"database"}), ("evaluation", {"database"})],
)
def test_what_runs_the_service_reaches_what_its_values_name_and_nothing_else(
    chart: Chart, mode: str, databases: set[str]
) -> None:
    least = Reach(chart.render(IMAGE, MODES[mode]))
    assert least.reached_by("service") == DNS | databases
    assert least.reached_by("migration") == DNS | databases
    more = Reach(chart.render(IMAGE, MODES[mode], AUTH_AND_TRACING))
    assert more.reached_by("service") == DNS | databases | {"issuer", "any 8443", "collector", "any 4318"}
    assert more.reached_by("migration") == DNS | databases


@pytest.mark.parametrize(("mode", "databases"), [("external", {"database", "any 5432"}), ("cnpg", {"database"})])
def test_a_replica_is_reached_as_the_database(chart: Chart, mode: str, databases: set[str]) -> None:
    """The label of CloudNativePG's pods is that of all instances, the standbys included."""
    reach = Reach(chart.render(IMAGE, MODES[mode], {"databaseReplica": {"enabled": True}}))
    assert reach.reached_by("service") == DNS | databases


@pytest.mark.parametrize("mode", MODES)
def test_peers_narrow_where_the_service_may_go(chart: Chart, mode: str) -> None:
    """Also applies to extra containers, which share the network of their pod."""
    reach = Reach(chart.render(IMAGE, EVERYTHING, MODES[mode]))
    assert reach.reached_by("service") == DNS | {"database", "issuer", "collector", "any 443"}
    assert reach.reached_by("migration") == DNS | {"database", "any 443"}
    assert "any 443" not in Reach(
        chart.render(IMAGE, EVERYTHING, MODES[mode], {"networkPolicy": {"extraEgress": []}})
    ).reached_by("service")


@pytest.mark.parametrize("url", ["https://id.example.com/keys", "https://id.example.com:443/keys"])
def test_an_issuer_without_a_port_is_asked_on_its_scheme_s(chart: Chart, url: str) -> None:
    reach = Reach(chart.render(IMAGE, EXTERNAL, {"auth": {**EVERYTHING["auth"], "jwksUrl": url}}))
    assert reach.reached_by("service") == DNS | {"database", "any 5432", "any 443"}


@pytest.mark.parametrize("peers", [[], [{"ipBlock": {"cidr": "10.1.2.3/32"}}]])
def test_every_port_of_the_database_is_reached_by_service_and_migrations(chart: Chart, peers: list[Object]) -> None:
    values = {"networkPolicy": {"databasePorts": [5432, 6432], "databaseTo": peers}}
    reach = Reach(chart.render(IMAGE, EXTERNAL, values))
    anywhere = set() if peers else {"any 5432"}
    assert reach.reached_by("service") == DNS | {"database", "database's pooler"} | anywhere
    assert reach.reached_by("migration") == reach.reached_by("service")


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["least", "everything"])
@pytest.mark.parametrize("mode", MODES)
def test_nobody_reaches_the_migrations_or_the_test(chart: Chart, mode: str, values: dict[str, Any]) -> None:
    reach = Reach(chart.render(IMAGE, values, MODES[mode]))
    assert reach.callers_of("migration") == set()
    assert reach.callers_of("test") == set()


def test_the_database_for_trials_is_reached_by_its_release_only_and_reaches_nobody(chart: Chart) -> None:
    reach = Reach(chart.render(IMAGE, MODES["evaluation"]))
    assert reach.callers_of("database") == {"service", "migration"}
    assert reach.reached_by("database") == set()


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["least", "everything"])
@pytest.mark.parametrize("mode", MODES)
def test_a_namespace_that_denies_everything_takes_nothing_from_a_release(
    chart: Chart, mode: str, values: dict[str, Any]
) -> None:
    objects = chart.render(IMAGE, values, MODES[mode])
    reach = Reach(objects, DENY_ALL)
    assert reach.reached_by("test") == DNS | {"api", "internal"}
    # CloudNativePG creates its own pods. A user who denies all traffic to them has to allow these connections, too.
    taken = {"database"} if mode == "cnpg" else set()
    assert reach.reached_by("service") == Reach(objects).reached_by("service") - taken
    assert reach.reached_by("migration") == Reach(objects).reached_by("migration") - taken


@pytest.mark.parametrize("mode", MODES)
def test_dns_is_reached_on_the_ports_of_its_pods(chart: Chart, mode: str) -> None:
    reach = Reach(chart.render(IMAGE, MODES[mode], {"networkPolicy": {"dnsPorts": [53, 5353]}}), DENY_ALL)
    for caller in ("service", "migration", "test"):
        assert reach.reached_by(caller) >= DNS | {"dns on 5353", "dns on 5353 by TCP"}


def test_another_release_in_the_namespace_gains_nothing_by_its_labels(chart: Chart) -> None:
    values = {"networkPolicy": {"apiFrom": [in_namespace("ingress-nginx")]}}
    reach = Reach(chart.render(IMAGE, MODES["evaluation"], values))
    reach.places.update(
        (f"other {name}", place) for name, place in places(chart.render(IMAGE, EXTERNAL, release="other"))
    )
    assert reach.callers_of("api") == {"test", "ingress"}
    assert reach.callers_of("internal") == {"test"}
    assert reach.callers_of("database") == {"service", "migration"}


@pytest.mark.parametrize("mode", MODES)
def test_the_migrations_policy_is_there_before_the_migrations(chart: Chart, mode: str) -> None:
    """Helm orders hooks by weight, and other objects by kind."""
    objects = chart.render(IMAGE, MODES[mode])
    policy, job = one(objects, "NetworkPolicy", "items-migration"), one(objects, "Job")
    of_policy, of_job = (each["metadata"].get("annotations", {}) for each in (policy, job))
    assert of_policy.get("helm.sh/hook") == of_job.get("helm.sh/hook")
    if "helm.sh/hook" in of_policy:
        assert int(of_policy["helm.sh/hook-weight"]) < int(of_job.get("helm.sh/hook-weight", 0))
        # Helm deletes succeeded hooks only after all hooks, so the policy outlasts the Job, and does not stay for ever.
        assert of_policy["helm.sh/hook-delete-policy"].split(",") == ["before-hook-creation", "hook-succeeded"]
    else:
        assert objects.index(policy) < objects.index(job)


def test_the_migrations_of_an_upgrade_reach_the_new_release_s_database(chart: Chart) -> None:
    """While the migrations run, only the hooks are of the new release; all other objects are still of the old one."""

    def render(address: str) -> list[Object]:
        peers = [{"ipBlock": {"cidr": f"{address}/32"}}]
        return chart.render(IMAGE, EXTERNAL, {"networkPolicy": {"databaseTo": peers}})

    def event(each: Object) -> str:
        found: str = each["metadata"].get("annotations", {}).get("helm.sh/hook", "")
        return found

    old = [each for each in render("10.9.9.9") if event(each) in {"", "test"}]
    new = [each for each in render("10.1.2.3") if "pre-upgrade" in event(each)]
    assert Reach([*old, *new], DENY_ALL).reached_by("migration") == DNS | {"database"}


@pytest.mark.parametrize("mode", MODES)
def test_no_policy_is_made_where_they_are_turned_off(chart: Chart, mode: str) -> None:
    assert not of_kind(chart.render(IMAGE, MODES[mode], {"networkPolicy": {"enabled": False}}), "NetworkPolicy")
    # Components that are turned off have no policy either.
    without = {"migrations": {"enabled": False}, "test": {"enabled": False}}
    names = {each["metadata"]["name"] for each in of_kind(chart.render(IMAGE, MODES[mode], without), "NetworkPolicy")}
    assert names == {"items"} | ({"items-database"} if mode == "evaluation" else set())
