"""Tracing, if the settings turn it on. Its libraries are large, and are imported only then."""

from typing import TYPE_CHECKING

from chassis.settings import Settings

if TYPE_CHECKING:
    from chassis.telemetry.tracing import Tracing


def tracing_of(settings: Settings) -> "Tracing | None":
    """Return the traces' exporter and instruments; None if tracing is off."""
    if settings.traces_exporter == "none":
        return None
    from chassis.telemetry.tracing import Tracing

    return Tracing(settings.traces_exporter)
