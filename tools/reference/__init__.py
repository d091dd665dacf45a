"""`make reference`: generates docs/chassis/reference of the service from the sources of the chassis.

The sources are parsed, not imported, so the generator needs none of the service's libraries.
"""
