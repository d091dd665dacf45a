"""Database migrations: rendering and running them, and the chassis' own revisions."""
