"""The minimal cost of aiohttp: one handler without middlewares that always returns the same bytes, on uvloop."""
