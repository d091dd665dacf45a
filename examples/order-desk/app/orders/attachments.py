"""Files of an order, up to 5 MiB each, which are kept in the database."""

from urllib.parse import quote

from aiohttp import BodyPartReader, web

from app.orders.handlers import read_order
from chassis.contract import Limits
from chassis.database import Database
from chassis.errors import FieldError, InvalidRequestError, NotFoundError
from chassis.models import Id, Row

UPLOADS = Limits(body_bytes=5 * 1024**2, body_seconds=60, deadline_seconds=90, in_flight=4)
_COLUMNS = "id, order_id, name, length(content) AS size"


class Attachment(Row):
    """A file of an order; its size is in bytes."""

    id: Id
    order_id: Id
    name: str
    size: int


async def attach_file(order_id: Id, request: web.Request, database: Database) -> Attachment:
    """Attach the file of a form's field `file`"""
    await read_order(order_id, database)
    async for part in await request.multipart():
        if isinstance(part, BodyPartReader) and part.name == "file" and part.filename:
            break
    else:
        raise InvalidRequestError([FieldError("pointer", "#/file", "Should be a file")])
    [row] = await database.fetch(
        f"INSERT INTO attachments (order_id, name, content) VALUES ($1, $2, $3) RETURNING {_COLUMNS}",
        order_id,
        part.filename.encode(errors="replace").decode(),  # a name is any bytes, a text is UTF-8
        bytes(await part.read(decode=True)),
    )
    return Attachment.from_row(row)


async def list_attachments(order_id: Id, database: Database) -> list[Attachment]:
    """List the files of an order"""
    await read_order(order_id, database)
    rows = await database.fetch(f"SELECT {_COLUMNS} FROM attachments WHERE order_id = $1 ORDER BY id", order_id)
    return Attachment.from_rows(rows)


async def send_attachment(order_id: Id, attachment_id: Id, database: Database) -> web.Response:
    """Send a file of an order"""
    row = await database.fetchrow(
        "SELECT name, content FROM attachments WHERE id = $2 AND order_id = $1", order_id, attachment_id
    )
    if row is None:
        raise NotFoundError(f"Order {order_id} has no attachment {attachment_id}.")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(row['name'], safe='')}"}
    return web.Response(body=row["content"], content_type="application/octet-stream", headers=headers)
