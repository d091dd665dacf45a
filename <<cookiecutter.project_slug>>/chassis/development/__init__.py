"""Commands for development, behind the Makefile's targets; not part of the image."""
