"""The least that aiohttp takes: one handler without middlewares, which always gives the same bytes, on uvloop."""
