"""Customers: models, handlers and queries."""
