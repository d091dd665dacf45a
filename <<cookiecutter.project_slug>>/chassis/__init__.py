"""The microservice chassis: what every service made from the template shares.

`app` imports `chassis`, never the other way, and nothing here knows a resource. The template owns this folder: a change
belongs upstream, where every service gets it.
"""
