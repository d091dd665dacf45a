"""The least that the query of a GET takes: asyncpg alone over connections that are held, on uvloop, without HTTP."""
