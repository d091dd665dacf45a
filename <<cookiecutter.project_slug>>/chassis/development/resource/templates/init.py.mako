"""${names.several.capitalize()}: what they look like, what can be done with them, and their SQL."""
