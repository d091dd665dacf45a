"""`gunicorn --config=guniconfig.py app_wsgi:app`."""

from chassis.application import Application, create_application
from chassis.service import find_service
from chassis.settings import load_settings


def app() -> Application:
    """Make the service, once in each worker."""
    service = find_service("app")
    return create_application(service, load_settings(service.settings))
