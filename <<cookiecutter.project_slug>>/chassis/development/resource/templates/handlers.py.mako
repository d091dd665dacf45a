<%
one, many, model, parent = names.one, names.many, names.model, resource.parent
where = f"{resource.parent_id}: {resource.parent_id_type}, " if parent else ""
row = f"{where}{one}_id: {resource.id_type}"
given = f"{resource.parent_id}, " if parent else ""
key = f"{given}{one}_id"
%>"""The handlers of ${names.several}. A handler's signature is the contract of its route; see chassis/contract.py."""

from app.${many} import queries
from app.${many}.models import ${model}, ${model}Fields, ${model}Query
% if parent:
from ${parent.module} import ${parent.read}
% endif
from chassis.conditional import IfMatch
from chassis.database import Database
from chassis.errors import NotFoundError, PreconditionFailedError
from chassis.models import Id, Patch, Uuid
from chassis.pagination import Page


async def create_${one}(${where}body: ${model}Fields, database: Database) -> ${model}:
    """Create ${names.a}"""
% if parent:
    await ${parent.read}(${resource.parent_id}, database)
% endif
    return await queries.insert_${one}(database, ${given}body)
% if resource.has("list"):


async def list_${many}(${where}query: ${model}Query, database: Database) -> Page[${model}]:
    """List ${names.several}"""
% if parent:
    await ${parent.read}(${resource.parent_id}, database)
% endif
    return await queries.select_${many}(database, ${given}query)
% endif


async def read_${one}(${row}, database: Database) -> ${model}:
    """Read ${names.a}"""
    ${one} = await queries.select_${one}(database, ${key})
    if ${one} is None:
        raise NotFoundError(f"There is no ${names.words} {${one}_id}.")
    return ${one}
% if resource.has("put"):


async def replace_${one}(${row}, if_match: IfMatch, body: ${model}Fields, database: Database) -> ${model}:
    """Replace ${names.a}"""
    ${one} = await queries.update_${one}(database, ${key}, if_match, body)
    if ${one} is None:
        await read_${one}(${key}, database)
        raise PreconditionFailedError
    return ${one}
% endif
% if resource.has("patch"):


async def patch_${one}(${row}, if_match: IfMatch, body: Patch[${model}Fields], database: Database) -> ${model}:
    """Change some fields of ${names.a}"""
    ${one} = await queries.patch_${one}(database, ${key}, if_match, body)
    if ${one} is None:
        await read_${one}(${key}, database)
        raise PreconditionFailedError
    return ${one}
% endif
% if resource.has("delete"):


async def delete_${one}(${row}, if_match: IfMatch, database: Database) -> None:
    """Delete ${names.a}"""
    if not await queries.delete_${one}(database, ${key}, if_match):
        await read_${one}(${key}, database)
        raise PreconditionFailedError
% endif
