"""The how-to guides on streams, with the code of their pages: an export, events, a WebSocket, uploads, a broadcast."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.services import run

GUIDES = Path("docs", "chassis")
PAGES = {
    "stream-an-export": [],
    "send-server-sent-events": [],
    "open-a-websocket": [],
    "tell-all-pods": [],
    "push-to-clients": [],
    "receive-a-file": [],
}
