"""The handlers of customers. A handler's signature is the contract of its route; see chassis/contract.py."""

from app.customers import queries
from app.customers.models import Customer, CustomerFields, CustomerQuery
from chassis.conditional import IfMatch
from chassis.database import Database
from chassis.errors import NotFoundError, PreconditionFailedError
from chassis.models import Id, Patch
from chassis.pagination import Page


async def create_customer(body: CustomerFields, database: Database) -> Customer:
    """Create a customer"""
    return await queries.insert_customer(database, body)


async def list_customers(query: CustomerQuery, database: Database) -> Page[Customer]:
    """List customers"""
    return await queries.select_customers(database, query)


async def read_customer(customer_id: Id, database: Database) -> Customer:
    """Read a customer"""
    customer = await queries.select_customer(database, customer_id)
    if customer is None:
        raise NotFoundError(f"There is no customer {customer_id}.")
    return customer


async def patch_customer(
    customer_id: Id, if_match: IfMatch, body: Patch[CustomerFields], database: Database
) -> Customer:
    """Change some fields of a customer"""
    customer = await queries.patch_customer(database, customer_id, if_match, body)
    if customer is None:
        await read_customer(customer_id, database)
        raise PreconditionFailedError
    return customer


async def delete_customer(customer_id: Id, if_match: IfMatch, database: Database) -> None:
    """Delete a customer"""
    if not await queries.delete_customer(database, customer_id, if_match):
        await read_customer(customer_id, database)
        raise PreconditionFailedError
