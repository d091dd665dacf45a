"""Lines: models, handlers and queries."""
