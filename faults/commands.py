"""The commands that start the service and the chassis' example, with the Python of this environment."""

import sys

APP = (sys.executable, "-m", "app")
GUNICORN = (sys.executable, "-m", "gunicorn", "--config=guniconfig.py", "app_wsgi:app")
EXAMPLE = (sys.executable, "-m", "tests.chassis.example")
