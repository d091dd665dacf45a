"""Orders: models, handlers and queries."""
