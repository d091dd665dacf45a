"""Who may connect to whom under NetworkPolicies: their documented semantics, evaluated without a cluster."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Where a connection begins or ends: a pod, or an address outside of the cluster, which has no namespace."""

    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    address: str = ""
    ports: Mapping[str, int] = field(default_factory=dict)
    """A pod's ports that have a name."""


@dataclass(frozen=True)
class Network:
    """Namespaces, by name with their labels, and the policies in them; one that names no namespace is in `home`.

    Pods have no address here: whether an `ipBlock` holds for them differs between clusters, so none does.
    """

    policies: list[Object]
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    home: str = "default"

    def allows(self, source: Place, target: Place, port: int, protocol: str = "TCP") -> bool:
        """Whether the source may connect: what leaves the source and what enters the target both have to be allowed."""
        return self._passes("Egress", source, target, target, port, protocol) and self._passes(
            "Ingress", target, source, target, port, protocol
        )

    def _passes(self, direction: str, isolated: Place, peer: Place, target: Place, port: int, protocol: str) -> bool:
        """Whether one of the policies for a pod in a direction lets the peer through; all do where there is none."""
        policies = [each for each in self.policies if self._applies(each, direction, isolated)]
        return not policies or any(
            self._has_peer(rule, policy, direction, peer) and _has_port(rule, target, port, protocol)
            for policy in policies
            for rule in policy["spec"].get(direction.lower()) or []
        )

    def _applies(self, policy: Object, direction: str, place: Place) -> bool:
        spec = policy["spec"]
        directions = spec.get("policyTypes") or (["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])
        return (
            direction in directions
            and place.namespace == self._namespace(policy)
            and _selects(spec.get("podSelector", {}), place.labels)
        )

    def _has_peer(self, rule: Object, policy: Object, direction: str, place: Place) -> bool:
        peers = rule.get("from" if direction == "Ingress" else "to")
        return not peers or any(self._is(peer, policy, place) for peer in peers)

    def _is(self, peer: Object, policy: Object, place: Place) -> bool:
        if "ipBlock" in peer:
            return bool(place.address) and _within(peer["ipBlock"], place.address)
        if not place.namespace or not _selects(peer.get("podSelector", {}), place.labels):
            return False
        if "namespaceSelector" not in peer:
            return place.namespace == self._namespace(policy)
        name = {"kubernetes.io/metadata.name": place.namespace}
        return _selects(peer["namespaceSelector"], {**self.namespaces.get(place.namespace, {}), **name})

    def _namespace(self, policy: Object) -> str:
        found: str = policy["metadata"].get("namespace", self.home)
        return found


def places(objects: list[Object], namespace: str = "default") -> Iterator[tuple[str, Place]]:
    """The pods that the objects make, by the component in their labels; all containers of a pod are in one place."""
    for each in objects:
        pod = each if each["kind"] == "Pod" else each.get("spec", {}).get("template")
        if pod:
            labels, spec = pod["metadata"]["labels"], pod["spec"]
            containers = spec["containers"] + spec.get("initContainers", [])
            ports = {port["name"]: port["containerPort"] for one in containers for port in one.get("ports", [])}
            yield labels["app.kubernetes.io/component"], Place(namespace, labels, ports=ports)


def _has_port(rule: Object, target: Place, port: int, protocol: str) -> bool:
    def matches(each: Object) -> bool:
        first: int | str = each.get("port", 0)
        if isinstance(first, str):  # a name, which the target's containers give to a number
            first = target.ports.get(first, -1)
        last: int = each.get("endPort", first or 65535)
        return each.get("protocol", "TCP") == protocol and first <= port <= last

    return not rule.get("ports") or any(map(matches, rule["ports"]))


def _within(block: Object, address: str) -> bool:
    ranges = [block["cidr"], *block.get("except", [])]
    inside, *excepted = [ip_address(address) in ip_network(each) for each in ranges]
    return inside and not any(excepted)


def _selects(selector: Object, labels: Mapping[str, str]) -> bool:
    def holds(expression: Object) -> bool:
        value = labels.get(expression["key"])
        return {
            "In": value in expression.get("values", []),
            "NotIn": value not in expression.get("values", []),  # nor is one that is not there
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }[expression["operator"]]

    return labels.items() >= selector.get("matchLabels", {}).items() and all(
        map(holds, selector.get("matchExpressions", []))
    )
