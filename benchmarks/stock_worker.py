"""The service for aiohttp's own Gunicorn worker, which the article had; it runs in the service's environment.

The chassis' worker takes no notice of max_requests.
"""

from aiohttp import web
from app.routes import ROUTES
from app.settings import Settings
from chassis.application import create_application
from chassis.settings import load_settings


async def app() -> web.Application:
    """Makes the API, once in each worker; that worker would serve the internal paths on the same port."""
    return create_application(ROUTES, load_settings(Settings)).api
