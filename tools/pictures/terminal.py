"""Draws a terminal with some requests of the demo and their responses."""

import re

from rich.console import Console

from tools import demo
from tools.pictures.files import PICTURES

# Removed, because a picture in a README must not load Rich's web font.
_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def draw() -> None:
    """Write terminal.svg. The demo's service has to be running."""
    recorder = demo.console = Console(highlight=False, record=True, width=100)
    item = demo.request("POST", "/v1/items", 201, {"name": "Lamp", "price_cents": 1999})
    demo.request("GET", f"/v1/items/{item['id']}", 200)
    demo.request("POST", "/v1/items", 422, {"name": "", "price_cents": -1})
    svg = recorder.export_svg(title="make demo")
    PICTURES.mkdir(parents=True, exist_ok=True)
    (PICTURES / "terminal.svg").write_text(_FONT.sub("", svg), encoding="utf-8")
