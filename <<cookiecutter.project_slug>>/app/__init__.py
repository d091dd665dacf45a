"""The service. Start reading at routes.py."""
