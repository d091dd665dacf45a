"""Other ways to a database server."""

import asyncio
from urllib.parse import parse_qs, urlsplit


async def open_raw(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a bare connection to the server, over TCP or its Unix socket."""
    address = urlsplit(url)
    folder, port = parse_qs(address.query).get("host", [""])[0], address.port or 5432
    if folder.startswith("/"):
        return await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.{port}")
    return await asyncio.open_connection(address.hostname, port)


def on_port(url: str, port: int, host: str = "127.0.0.1", query: str = "") -> str:
    """Return the address of the same database by way of a port of this machine."""
    address = urlsplit(url)
    who = address.netloc.rpartition("@")[0] or "postgres"
    return f"postgresql://{who}@{host}:{port}{address.path}{query}"
