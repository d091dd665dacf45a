"""All pages of the reference: those that are generated, and those that are written by hand."""

from tools.reference.api import api_pages
from tools.reference.commands import commands_page
from tools.reference.formatting import formatted
from tools.reference.log_events import log_events_page
from tools.reference.metrics import metrics_page
from tools.reference.problems import errors_page
from tools.reference.settings import settings_page
from tools.reference.source import SERVICE

FOLDER = SERVICE / "docs" / "chassis" / "reference"
BY_HAND = ("types.md",)
"""Pages of the reference that are not generated."""


def pages() -> dict[str, str]:
    """Return the text of each page, by its path in the reference.

    Raises:
        GenerationError: the sources and the generator's tables do not fit; the message says what to change.
    """
    texts = {
        "settings.md": settings_page(),
        "errors.md": errors_page(),
        "metrics.md": metrics_page(),
        "log-events.md": log_events_page(),
        "commands.md": commands_page(),
        **api_pages(),
        **{name: (FOLDER / name).read_text(encoding="utf-8") for name in BY_HAND},
    }
    return formatted(texts)
