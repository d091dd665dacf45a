"""What this service reads from its environment, beside what every service does."""

from chassis import settings


class Settings(settings.Settings):
    """Add a field a setting: `currency: str = "EUR"` reads CURRENCY. Handlers get it as `settings: Settings`.

    What is no word and no number is JSON: `countries: Json[list[str]]`, with pydantic's `Json`.
    """
