"""FastAPI as its documentation shows it, with asyncpg's pool."""
