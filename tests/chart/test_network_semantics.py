"""The evaluator of NetworkPolicies follows the Kubernetes documentation."""

from typing import Any

import pytest
import yaml

from tests.chart.network import Network, Object, Place, places

NAMESPACES = {"default": {}, "mine": {"project": "myproject"}, "theirs": {"project": "theirs"}}
DATABASE = Place("default", {"role": "db"})
FRONTEND = Place("default", {"role": "frontend"})
OTHER = Place("default", {"role": "other"})
IN_MINE = Place("mine", {"role": "other"})
FRONTEND_IN_MINE = Place("mine", {"role": "frontend"})
FRONTEND_IN_THEIRS = Place("theirs", {"role": "frontend"})

# The example in the Kubernetes documentation.
EXAMPLE = """
podSelector: {matchLabels: {role: db}}
policyTypes: [Ingress, Egress]
ingress:
- from:
  - ipBlock: {cidr: 172.17.0.0/16, except: [172.17.1.0/24]}
  - namespaceSelector: {matchLabels: {project: myproject}}
  - podSelector: {matchLabels: {role: frontend}}
  ports:
  - {protocol: TCP, port: 6379}
egress:
- to:
  - ipBlock: {cidr: 10.0.0.0/24}
  ports:
  - {protocol: TCP, port: 5978}
"""


def policy(spec: str, namespace: str | None = None) -> Object:
    return {"metadata": {"namespace": namespace} if namespace else {}, "spec": yaml.safe_load(spec)}


def network(*specs: str) -> Network:
    return Network([policy(spec) for spec in specs], NAMESPACES)


@pytest.mark.parametrize(
    ("source", "allowed"),
    [
        (FRONTEND, True),
        (OTHER, False),
        (IN_MINE, True),
        (FRONTEND_IN_THEIRS, False),
        (Place(address="172.17.0.5"), True),
        (Place(address="172.17.1.5"), False),
        (Place(address="172.18.0.5"), False),
    ],
)
def test_the_documented_example_lets_in_whom_it_names(source: Place, allowed: bool) -> None:
    assert network(EXAMPLE).allows(source, DATABASE, 6379) is allowed
    assert not network(EXAMPLE).allows(source, DATABASE, 6380)
    assert not network(EXAMPLE).allows(source, DATABASE, 6379, "UDP")


def test_the_documented_example_lets_out_to_one_range_and_port() -> None:
    assert network(EXAMPLE).allows(DATABASE, Place(address="10.0.0.9"), 5978)
    assert not network(EXAMPLE).allows(DATABASE, Place(address="10.0.0.9"), 443)
    assert not network(EXAMPLE).allows(DATABASE, Place(address="10.0.1.9"), 5978)
    assert not network(EXAMPLE).allows(DATABASE, FRONTEND, 5978)


def test_two_selectors_in_one_peer_both_have_to_hold_and_in_two_peers_either() -> None:
    one = "{podSelector: {}, ingress: [{from: [{namespaceSelector: %s, podSelector: %s}]}]}"
    two = "{podSelector: {}, ingress: [{from: [{namespaceSelector: %s}, {podSelector: %s}]}]}"
    selectors = ("{matchLabels: {project: myproject}}", "{matchLabels: {role: frontend}}")
    everyone = [FRONTEND, OTHER, IN_MINE, FRONTEND_IN_MINE, FRONTEND_IN_THEIRS]
    assert [each for each in everyone if network(one % selectors).allows(each, DATABASE, 80)] == [FRONTEND_IN_MINE]
    either = [FRONTEND, IN_MINE, FRONTEND_IN_MINE]
    assert [each for each in everyone if network(two % selectors).allows(each, DATABASE, 80)] == either


def test_a_policy_holds_in_its_own_namespace_only() -> None:
    deny = Network([policy("{podSelector: {}, policyTypes: [Ingress, Egress]}", "mine")], NAMESPACES)
    assert deny.allows(FRONTEND, DATABASE, 80)
    assert not deny.allows(FRONTEND, IN_MINE, 80)
    assert not deny.allows(IN_MINE, FRONTEND, 80)


def test_a_pod_that_no_policy_selects_is_open_and_policies_add_up() -> None:
    assert network().allows(FRONTEND, DATABASE, 80)
    deny = "{podSelector: {matchLabels: {role: db}}, policyTypes: [Ingress]}"
    assert network(deny).allows(FRONTEND, OTHER, 80)
    assert not network(deny).allows(FRONTEND, DATABASE, 80)
    assert network(deny, EXAMPLE).allows(FRONTEND, DATABASE, 6379)


def test_both_sides_have_to_allow_a_connection() -> None:
    shut_in = "{podSelector: {matchLabels: {role: frontend}}, policyTypes: [Egress]}"
    assert not network(EXAMPLE, shut_in).allows(FRONTEND, DATABASE, 6379)
    assert network(EXAMPLE, shut_in).allows(IN_MINE, DATABASE, 6379)
    assert network(shut_in).allows(DATABASE, FRONTEND, 80)


@pytest.mark.parametrize(
    ("spec", "enters", "leaves"),
    [
        ("{podSelector: {}}", False, True),
        ("{podSelector: {}, egress: []}", False, True),
        ("{podSelector: {}, egress: [{ports: [{port: 1}]}]}", False, False),
        ("{podSelector: {}, policyTypes: [Egress]}", True, False),
        ("{podSelector: {}, ingress: [{}]}", True, True),
        ("{podSelector: {}, ingress: [{from: []}]}", True, True),
        ("{podSelector: {}, policyTypes: [Egress], egress: [{}]}", True, True),
    ],
)
def test_what_a_policy_does_not_say(spec: str, enters: bool, leaves: bool) -> None:
    abroad = Place(address="203.0.113.1")
    assert network(spec).allows(abroad, DATABASE, 80) is enters
    assert network(spec).allows(DATABASE, abroad, 80) is leaves


@pytest.mark.parametrize(
    ("port", "let_through"),
    [
        ("{port: web}", {8080}),
        ("{port: no-such-name}", set()),
        ("{port: 8080, endPort: 8082}", {8080, 8081, 8082}),
        ("{port: 8080}", {8080}),
        ("{protocol: TCP}", {8079, 8080, 8081, 8082}),
        ("{protocol: UDP, port: 8080}", set()),
    ],
)
def test_ports_by_number_name_range_and_protocol(port: str, let_through: set[int]) -> None:
    target = Place("default", ports={"web": 8080})
    rules = network("{podSelector: {}, ingress: [{ports: [%s]}]}" % port)  # noqa: UP031  (braces of YAML)
    assert {each for each in range(8079, 8083) if rules.allows(OTHER, target, each)} == let_through


@pytest.mark.parametrize(
    ("expression", "selected"),
    [
        ("{key: role, operator: In, values: [db, frontend]}", {"frontend"}),
        ("{key: role, operator: NotIn, values: [db, frontend]}", {"other", None}),
        ("{key: role, operator: Exists}", {"frontend", "other"}),
        ("{key: role, operator: DoesNotExist}", {None}),
    ],
)
def test_expressions_of_a_selector(expression: str, selected: set[str | None]) -> None:
    rules = network("{podSelector: {}, ingress: [{from: [{podSelector: {matchExpressions: [%s]}}]}]}" % expression)  # noqa: UP031
    sources = {role: Place("default", {"role": role} if role else {}) for role in ("frontend", "other", None)}
    assert {role for role, source in sources.items() if rules.allows(source, DATABASE, 80)} == selected


def test_a_namespace_has_its_name_as_a_label() -> None:
    peer = "{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: mine}}}"
    rules = network("{podSelector: {}, ingress: [{from: [%s]}]}" % peer)  # noqa: UP031
    assert rules.allows(IN_MINE, DATABASE, 80)
    assert not rules.allows(FRONTEND_IN_THEIRS, DATABASE, 80)


def test_every_namespace_is_still_in_the_cluster() -> None:
    rules = network("{podSelector: {}, ingress: [{from: [{namespaceSelector: {}}]}]}")
    assert rules.allows(FRONTEND_IN_THEIRS, DATABASE, 80)
    assert not rules.allows(Place(address="203.0.113.1"), DATABASE, 80)


def test_all_containers_of_a_pod_are_one_place() -> None:
    def container(name: str, port: int) -> dict[str, Any]:
        return {"ports": [{"name": name, "containerPort": port}]}

    spec = {"containers": [container("a", 1), container("b", 2)], "initContainers": [container("c", 3)]}
    labels = {"app.kubernetes.io/component": "service"}
    [(name, place)] = places([{"kind": "Pod", "metadata": {"labels": labels}, "spec": spec}])
    assert name == "service"
    assert place.ports == {"a": 1, "b": 2, "c": 3}
