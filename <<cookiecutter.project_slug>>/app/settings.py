"""The settings of this service."""

from chassis import settings


class Settings(settings.Settings):
    """Add one field per setting: `currency: str = "EUR"` reads CURRENCY. Handlers get them as `settings: Settings`.

    Declare lists and tables with pydantic's `Json`: `countries: Json[list[str]]` reads `["DE", "FR"]`.
    """
