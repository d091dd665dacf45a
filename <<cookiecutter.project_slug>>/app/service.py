"""What this service is made of; chassis/service.py tells what else there can be."""

from app.routes import ROUTES
from app.settings import Settings
from chassis.service import Service

SERVICE = Service(settings=Settings, routes=ROUTES)
