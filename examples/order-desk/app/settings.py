"""The settings of this service."""

from pydantic import Field, SecretStr

from chassis import settings


class Settings(settings.Settings):
    """Each field is a variable: `payment_url` reads PAYMENT_URL."""

    payment_url: str = "http://payments:8080"
    redis_url: SecretStr = SecretStr("redis://redis:6379")
    warehouse_url: str = "http://warehouse:8080"
    webhook_secret: SecretStr = Field(min_length=1, examples=["for tests"])
