"""Litestar as its documentation shows it, on Granian, with msgspec's structs and asyncpg's pool."""
