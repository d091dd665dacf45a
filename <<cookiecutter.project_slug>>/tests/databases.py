"""Databases for tests, on the server that the tests were given."""

import asyncio
import os
from urllib.parse import parse_qs, urlsplit, urlunsplit
from uuid import uuid4

import asyncpg


def with_database(url: str, name: str) -> str:
    """The same server's address with another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}")).replace("postgresql:/?", "postgresql:///?")


def new_name() -> str:
    """A name that no database has."""
    return f"test_{uuid4().hex}"


async def make_database(server_url: str, name: str = "") -> str:
    """Makes a database, under a new name where none is given, and returns its address.

    It is empty, unless DATABASE_TEMPLATE names one to copy, as `make rolling-upgrade` does.
    """
    name = name or new_name()
    template = os.environ.get("DATABASE_TEMPLATE", "template0")
    connection = await asyncpg.connect(server_url)
    try:
        # Whatever the server's own encoding is.
        await connection.execute(f"CREATE DATABASE \"{name}\" ENCODING 'UTF8' LOCALE 'C' TEMPLATE {template}")
    finally:
        await connection.close()
    return with_database(server_url, name)


async def drop_database(server_url: str, url: str) -> None:
    """Drops a database, whoever is still connected to it."""
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(f'DROP DATABASE "{urlsplit(url).path[1:]}" WITH (FORCE)')
    finally:
        await connection.close()


async def open_raw(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A bare connection to the server, over TCP or its Unix socket."""
    address = urlsplit(url)
    folder, port = parse_qs(address.query).get("host", [""])[0], address.port or 5432
    if folder.startswith("/"):
        return await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.{port}")
    return await asyncio.open_connection(address.hostname, port)


def on_port(url: str, port: int, host: str = "127.0.0.1", query: str = "") -> str:
    """The same database's address by way of a port of this machine."""
    address = urlsplit(url)
    who = address.netloc.rpartition("@")[0] or "postgres"
    return f"postgresql://{who}@{host}:{port}{address.path}{query}"
