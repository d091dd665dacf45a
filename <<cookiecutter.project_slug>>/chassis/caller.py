"""Who sends a request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Caller:
    """Who sends a request, for handlers that want to know: `caller: Caller`.

    Attributes:
        subject: the token's `sub`; empty where the API is open.
        claims: all that the token says.
    """

    subject: str = ""
    claims: Mapping[str, Any] = field(default_factory=dict)
