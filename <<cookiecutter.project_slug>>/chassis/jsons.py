"""JSON as this service writes it: compact, in UTF-8."""

import json
from typing import Any


def to_json(value: Any) -> bytes:
    """Encodes plain dictionaries, lists and scalars."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
