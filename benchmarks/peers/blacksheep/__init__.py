"""BlackSheep as in its documentation, with pydantic for bodies and an asyncpg pool; its JSON, or orjson."""
