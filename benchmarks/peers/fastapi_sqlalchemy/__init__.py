"""FastAPI with SQLAlchemy, as in the full-stack FastAPI template: SQLModel, psycopg, plain functions in threads."""
