"""BlackSheep as its documentation shows it, with pydantic for bodies and asyncpg's pool."""
