"""Databases for tests, on the server that the tests were given."""

from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg


def with_database(url: str, name: str) -> str:
    """The same server's address with another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}")).replace("postgresql:/?", "postgresql:///?")


def new_name() -> str:
    """A name that no database has."""
    return f"test_{uuid4().hex}"


async def make_database(server_url: str, name: str = "") -> str:
    """Makes an empty database, under a new name where none is given, and returns its address."""
    name = name or new_name()
    connection = await asyncpg.connect(server_url)
    try:
        # Whatever the server's own encoding is.
        await connection.execute(f"CREATE DATABASE \"{name}\" ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0")
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
