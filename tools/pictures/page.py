"""Takes a screenshot of the page at /docs in Chromium."""

import subprocess

from tools.demo import API
from tools.pictures.files import PICTURES, SCRATCH, program


def draw() -> None:
    """Write docs-page.png. The demo's service has to be running."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    chromium = program("chromium", "google-chrome", package="chromium")
    subprocess.run(
        [chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1000,760",
         f"--user-data-dir={SCRATCH / 'chromium'}", "--virtual-time-budget=10000",
         f"--screenshot={PICTURES / 'docs-page.png'}", f"{API}/docs"],
        check=True, stderr=subprocess.DEVNULL,
    )  # fmt: skip
