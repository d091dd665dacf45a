"""This service. Start reading at routes.py."""
