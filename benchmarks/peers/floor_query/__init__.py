"""The minimal cost of the query of a GET: only asyncpg, on open connections, on uvloop, without HTTP."""
