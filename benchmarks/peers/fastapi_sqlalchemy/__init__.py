"""FastAPI with SQLAlchemy, as the full-stack FastAPI template has it: SQLModel, psycopg, plain functions in threads."""
