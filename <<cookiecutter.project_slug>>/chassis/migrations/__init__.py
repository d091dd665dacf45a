"""What Alembic needs of the chassis, and the chassis' own revisions."""
