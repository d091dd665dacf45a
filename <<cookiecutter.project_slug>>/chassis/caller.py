"""The caller of a request, which a handler gets as a parameter: `async def read_profile(caller: Caller) -> Profile`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Caller:
    """The caller, as the request's token identifies it.

    Attributes:
        subject: the token's `sub` claim; empty if the API requires no token.
        claims: all claims of the token.
    """

    subject: str = ""
    claims: Mapping[str, Any] = field(default_factory=dict)
