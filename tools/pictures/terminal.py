"""A terminal: some requests of the demo, and their answers, as they look there."""

import re

from rich.console import Console

from tools import demo
from tools.pictures.files import PICTURES

# Without Rich's web font: a picture in a README fetches nothing.
_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def draw() -> None:
    """Writes terminal.svg; the demo's service runs."""
    recorder = demo.console = Console(highlight=False, record=True, width=100)
    item = demo.request("POST", "/v1/items", 201, {"name": "Lamp", "price_cents": 1999})
    demo.request("GET", f"/v1/items/{item['id']}", 200)
    demo.request("POST", "/v1/items", 422, {"name": "", "price_cents": -1})
    svg = recorder.export_svg(title="make demo")
    PICTURES.mkdir(parents=True, exist_ok=True)
    (PICTURES / "terminal.svg").write_text(_FONT.sub("", svg), encoding="utf-8")
