"""What a service gives its handlers, by type: its database, its settings, its client."""

from collections.abc import Collection, Mapping
from typing import Any


class HandlerResources:
    """Resources by type. Their types are known when routes are added, their values while the service runs.

    Args:
        types: the types that a handler's parameters may have.

    Attributes:
        types: the same.
        values: the resources; empty until `provide` is called at the start.
    """

    def __init__(self, types: Collection[type]) -> None:
        self.types = frozenset(types)
        self.values: dict[type, Any] = {}

    def provide(self, values: Mapping[type, Any]) -> None:
        """Set the resources, one of each type."""
        self.values.update(values)
