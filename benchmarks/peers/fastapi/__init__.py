"""FastAPI as in its documentation, with an asyncpg pool."""
