"""Adds modules of `harness.added` to a baked service, in the files that a team would edit."""

import shutil
from pathlib import Path

_MODULES = Path(__file__).with_name("added")
_ROUTES = """
from app import {name}

ROUTES += {name}.ROUTES
"""


def add_streams(service: Path) -> None:
    """Add `app.streams`, its routes, and the setting UPLOADS_FOLDER."""
    _add(service, "streams", 'uploads_folder: DirectoryPath = Path("/tmp")')
    settings = service / "app" / "settings.py"
    imports = "from pathlib import Path\n\nfrom pydantic import DirectoryPath\n\nfrom chassis import settings"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("from chassis import settings", imports), encoding="utf-8")


def add_orders(service: Path) -> None:
    """Add `app.orders`, its route, and the setting PAYMENTS_URL. The service may be of release 0.2."""
    _add(service, "orders", 'payments_url: str = "http://payments:8080"')


def _add(service: Path, name: str, setting: str) -> None:
    app = service / "app"
    shutil.copy2(_MODULES / f"{name}.py", app)
    with (app / "routes.py").open("a", encoding="utf-8") as routes:
        routes.write(_ROUTES.format(name=name))
    with (app / "settings.py").open("a", encoding="utf-8") as settings:
        settings.write(f"\n    {setting}\n")
