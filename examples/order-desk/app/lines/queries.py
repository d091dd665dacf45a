"""The SQL of lines, one function per statement."""

from app.lines.models import Line, LineFields, LineQuery
from chassis.conditional import IfMatch
from chassis.database import Database
from chassis.pagination import Listing, Page

_COLUMNS = "id, order_id, sku, quantity, price, created_at, updated_at, version"
_MATCHES = "($2::bigint[] IS NULL OR version = ANY ($2))"
_LINES = Listing(
    Line,
    f"SELECT {_COLUMNS} FROM lines",
    key="id",
    filters={
        "order_id": "order_id = $",
    },
)


async def insert_line(database: Database, order_id: int, fields: LineFields) -> Line:
    [row] = await database.fetch(
        f"INSERT INTO lines (order_id, sku, quantity, price) VALUES ($1, $2, $3, $4) RETURNING {_COLUMNS}",
        order_id,
        fields.sku,
        fields.quantity,
        fields.price,
    )
    return Line.from_row(row)


async def select_lines(database: Database, order_id: int, query: LineQuery) -> Page[Line]:
    return await _LINES.page(database, query, order_id=order_id)


async def select_line(database: Database, order_id: int, line_id: int) -> Line | None:
    row = await database.load(f"SELECT {_COLUMNS} FROM lines WHERE id = ANY ($1)", line_id)
    return Line.from_row(row) if row and row["order_id"] == order_id else None


async def delete_line(database: Database, order_id: int, line_id: int, if_match: IfMatch) -> bool:
    query = f"DELETE FROM lines WHERE id = $1 AND order_id = $3 AND {_MATCHES} RETURNING id"
    return await database.fetchrow(query, line_id, if_match.versions, order_id) is not None
