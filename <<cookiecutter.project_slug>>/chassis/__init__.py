"""The microservice chassis: what every service of the template shares. It is updated with the template; do not edit it.

Import only the modules directly in this folder. Its packages (`http/`, `postgres/`, …) are internal.
"""

from chassis.compatibility.moved_modules import install

install()
