"""Litestar as in its documentation, on Granian, with msgspec structs and an asyncpg pool."""
