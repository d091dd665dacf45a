"""Values of a Helm chart."""

from typing import Any, TypeAlias

Values: TypeAlias = dict[str, Any]


def merge(under: Values, over: Values) -> Values:
    """Merge values as Helm does: tables by key; everything else is replaced."""
    both = {**under, **over}
    for key in under.keys() & over.keys():
        if isinstance(under[key], dict) and isinstance(over[key], dict):
            both[key] = merge(under[key], over[key])
    return both
