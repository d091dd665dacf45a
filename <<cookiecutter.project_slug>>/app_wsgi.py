"""`gunicorn --config=guniconfig.py app_wsgi:app`."""

from app.routes import ROUTES
from app.settings import Settings
from chassis.application import Application, create_application
from chassis.settings import load_settings


def app() -> Application:
    """Makes the service, once in each worker."""
    return create_application(ROUTES, load_settings(Settings))
