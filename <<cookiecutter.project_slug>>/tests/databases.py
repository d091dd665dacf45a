"""Test databases on a PostgreSQL server."""

import asyncio
import os
from urllib.parse import parse_qs, urlsplit, urlunsplit
from uuid import uuid4

import asyncpg


def with_database(url: str, name: str) -> str:
    """Return the address with another database name."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}")).replace("postgresql:/?", "postgresql:///?")


def new_name() -> str:
    return f"test_{uuid4().hex}"


async def make_database(server_url: str, name: str = "") -> str:
    """Create a database, named `name` or a new name, and return its address.

    The database is empty, or a copy of the database DATABASE_TEMPLATE, which `make rolling-upgrade` sets.
    """
    name = name or new_name()
    template = os.environ.get("DATABASE_TEMPLATE", "template0")
    connection = await asyncpg.connect(server_url)
    try:
        # Do not depend on the server's encoding.
        await connection.execute(f"CREATE DATABASE \"{name}\" ENCODING 'UTF8' LOCALE 'C' TEMPLATE {template}")
    finally:
        await connection.close()
    return with_database(server_url, name)


async def drop_database(server_url: str, url: str) -> None:
    """Drop a database, even if clients are connected to it."""
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(f'DROP DATABASE "{urlsplit(url).path[1:]}" WITH (FORCE)')
    finally:
        await connection.close()


async def open_raw(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a TCP or Unix socket connection to the server, without PostgreSQL's protocol."""
    address = urlsplit(url)
    folder, port = parse_qs(address.query).get("host", [""])[0], address.port or 5432
    if folder.startswith("/"):
        return await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.{port}")
    return await asyncio.open_connection(address.hostname, port)


def on_port(url: str, port: int, host: str = "127.0.0.1", query: str = "") -> str:
    """Return the address of the same database with another host and port."""
    address = urlsplit(url)
    who = address.netloc.rpartition("@")[0] or "postgres"
    return f"postgresql://{who}@{host}:{port}{address.path}{query}"
