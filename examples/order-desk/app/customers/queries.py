"""The SQL of customers, one function per statement."""

from app.customers.models import Customer, CustomerFields, CustomerQuery
from chassis.conditional import IfMatch
from chassis.database import Database
from chassis.models import Patch
from chassis.pagination import Listing, Page

_COLUMNS = "id, email, name, created_at, updated_at, version"
_MATCHES = "($2::bigint[] IS NULL OR version = ANY ($2))"
_CUSTOMERS = Listing(
    Customer,
    f"SELECT {_COLUMNS} FROM customers",
    key="id",
)


async def insert_customer(database: Database, fields: CustomerFields) -> Customer:
    [row] = await database.fetch(
        f"INSERT INTO customers (email, name) VALUES ($1, $2) RETURNING {_COLUMNS}",
        fields.email,
        fields.name,
    )
    return Customer.from_row(row)


async def select_customers(database: Database, query: CustomerQuery) -> Page[Customer]:
    return await _CUSTOMERS.page(database, query)


async def select_customer(database: Database, customer_id: int) -> Customer | None:
    row = await database.load(f"SELECT {_COLUMNS} FROM customers WHERE id = ANY ($1)", customer_id)
    return Customer.from_row(row) if row else None


async def patch_customer(
    database: Database, customer_id: int, if_match: IfMatch, patch: Patch[CustomerFields]
) -> Customer | None:
    row = await database.fetchrow(
        "UPDATE customers SET (email, name) = (SELECT email, name FROM jsonb_populate_record(customers, "
        f"$3::jsonb)), updated_at = now(), version = version + 1 WHERE id = $1 AND {_MATCHES} "
        f"RETURNING {_COLUMNS}",
        customer_id,
        if_match.versions,
        patch.to_json(),
    )
    return Customer.from_row(row) if row else None


async def delete_customer(database: Database, customer_id: int, if_match: IfMatch) -> bool:
    query = f"DELETE FROM customers WHERE id = $1 AND {_MATCHES} RETURNING id"
    return await database.fetchrow(query, customer_id, if_match.versions) is not None
