"""The export of all orders."""

import csv
from io import StringIO

from aiohttp import web

from chassis.database import Database

_PIECE_CHARACTERS = 64 * 1024
_COLUMNS = "id, customer_id, status, total, placed_at"


async def export_orders(request: web.Request, database: Database) -> web.StreamResponse:
    """Export all orders as CSV"""
    headers = {"Content-Type": "text/csv; charset=utf-8", "Content-Disposition": 'attachment; filename="orders.csv"'}
    response = web.StreamResponse(headers=headers)
    async with database.stream(f"SELECT {_COLUMNS} FROM orders ORDER BY id") as rows:
        await response.prepare(request)
        piece = StringIO()
        writer = csv.writer(piece)
        writer.writerow(_COLUMNS.split(", "))
        async for row in rows:
            writer.writerow(row)
            if piece.tell() >= _PIECE_CHARACTERS:
                await response.write(piece.getvalue().encode())
                piece.seek(0)
                piece.truncate()
        await response.write(piece.getvalue().encode())
    return response
