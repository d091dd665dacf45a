"""${names.several.capitalize()}: models, handlers and queries."""
