"""Runs the service under aiohttp's own Gunicorn worker, as in the article, in the service's environment.

The worker of the chassis ignores max_requests.
"""

from aiohttp import web

from app.routes import ROUTES
from app.settings import Settings
from chassis.application import create_application
from chassis.settings import load_settings


async def app() -> web.Application:
    """Create the API only, in each worker: this worker would serve the internal paths on the same port."""
    return create_application(ROUTES, load_settings(Settings)).api
