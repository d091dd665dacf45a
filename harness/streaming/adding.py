"""Adds the streams to a baked service, in the files that a team would edit."""

import shutil
from pathlib import Path

_ROUTES = """
from app import streams

ROUTES += streams.ROUTES
"""
_SETTING = """
    uploads_folder: DirectoryPath = Path("/tmp")
"""


def add_streams(service: Path) -> None:
    """Add `app.streams`, its routes, and the setting UPLOADS_FOLDER."""
    app = service / "app"
    shutil.copy2(Path(__file__).with_name("streams.py"), app)
    with (app / "routes.py").open("a", encoding="utf-8") as routes:
        routes.write(_ROUTES)
    settings = app / "settings.py"
    text = settings.read_text(encoding="utf-8")
    imports = "from pathlib import Path\n\nfrom pydantic import DirectoryPath\n\nfrom chassis import settings"
    settings.write_text(text.replace("from chassis import settings", imports) + _SETTING, encoding="utf-8")
