"""Evaluates NetworkPolicies without a cluster, by their documented semantics."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """An endpoint of a connection: a pod, or an address outside of the cluster, which has no namespace."""

    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    address: str = ""
    ports: Mapping[str, int] = field(default_factory=dict)
    """The named ports of a pod."""


@dataclass(frozen=True)
class Network:
    """Namespaces with their labels, by name, and their policies. A policy without a namespace belongs to `home`.

    Pods have no address here, so no `ipBlock` matches a pod: whether one does differs between clusters.
    """

    policies: list[Object]
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    home: str = "default"

    def allows(self, source: Place, target: Place, port: int, protocol: str = "TCP") -> bool:
        """Return whether the egress policies of the source and the ingress policies of the target allow connecting."""
        return self._passes("Egress", source, target, target, port, protocol) and self._passes(
            "Ingress", target, source, target, port, protocol
        )

    def _passes(self, direction: str, isolated: Place, peer: Place, target: Place, port: int, protocol: str) -> bool:
        """Return whether a policy of the isolated pod allows the peer, or no policy exists for the direction."""
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
    """Yield the pods of the objects, by their component label. All containers of a pod share one place."""
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
        if isinstance(first, str):  # a named port of the target's containers
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
            "NotIn": value not in expression.get("values", []),  # also true if the label does not exist
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }[expression["operator"]]

    return labels.items() >= selector.get("matchLabels", {}).items() and all(
        map(holds, selector.get("matchExpressions", []))
    )
