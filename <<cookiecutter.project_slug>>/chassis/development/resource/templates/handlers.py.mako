"""Handlers of ${names.several}. A handler's signature is the contract of its route; see chassis/contract.py."""

from app.${names.many} import queries
from app.${names.many}.models import ${names.model}, ${names.model}Fields, ${names.model}Query
from chassis.conditional import IfMatch
from chassis.database import Database
from chassis.errors import NotFoundError, PreconditionFailedError
from chassis.models import Id
from chassis.pagination import Page


async def create_${names.one}(body: ${names.model}Fields, database: Database) -> ${names.model}:
    """Create ${names.a}"""
    return await queries.insert_${names.one}(database, body)


async def list_${names.many}(query: ${names.model}Query, database: Database) -> Page[${names.model}]:
    """List ${names.several}"""
    ${names.many} = await queries.select_${names.many}(database, query)
    return Page[${names.model}].cut(${names.many}, query, position=lambda ${names.one}: [${names.one}.id])


async def read_${names.one}(${names.one}_id: Id, database: Database) -> ${names.model}:
    """Read ${names.a}"""
    ${names.one} = await queries.select_${names.one}(database, ${names.one}_id)
    if ${names.one} is None:
        raise NotFoundError(f"There is no ${names.words} {${names.one}_id}.")
    return ${names.one}


async def replace_${names.one}(${names.one}_id: Id, if_match: IfMatch, body: ${names.model}Fields, database: Database) -> ${names.model}:
    """Replace ${names.a}"""
    ${names.one} = await queries.update_${names.one}(database, ${names.one}_id, if_match, body)
    if ${names.one} is None:
        await read_${names.one}(${names.one}_id, database)
        raise PreconditionFailedError
    return ${names.one}


async def delete_${names.one}(${names.one}_id: Id, if_match: IfMatch, database: Database) -> None:
    """Delete ${names.a}"""
    if not await queries.delete_${names.one}(database, ${names.one}_id, if_match):
        await read_${names.one}(${names.one}_id, database)
        raise PreconditionFailedError
