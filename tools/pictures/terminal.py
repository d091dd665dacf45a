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
    order = demo.request("POST", "/v1/orders", 201, {"customer_id": 1, "tags": ["phone"], "metadata": {"gift": True}})
    path = f"/v1/orders/{order['id']}"
    demo.request("POST", f"{path}/lines", 201, {"sku": "LAMP", "quantity": 3, "price": "0.10"})
    demo.request("PUT", f"{path}/placement", 200)
    demo.request("PATCH", path, 409, {"tags": []})
    svg = recorder.export_svg(title="make demo EXAMPLE=order-desk")
    PICTURES.mkdir(parents=True, exist_ok=True)
    (PICTURES / "terminal.svg").write_text(_FONT.sub("", svg), encoding="utf-8")
