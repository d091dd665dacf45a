"""The contents page: every route of the service."""

from app.items import handlers as items
from chassis.contract import Route
from chassis.errors import NotFoundError

READ, WRITE = ("items:read",), ("items:write",)

ROUTES = [
    Route("POST", "/v1/items", items.create_item, status=201, location="/v1/items/{id}", scopes=WRITE),
    Route("GET", "/v1/items", items.list_items, scopes=READ),
    Route("GET", "/v1/items/{item_id}", items.read_item, scopes=READ, raises=(NotFoundError,)),
    Route("PUT", "/v1/items/{item_id}", items.replace_item, scopes=WRITE, raises=(NotFoundError,)),
    Route("DELETE", "/v1/items/{item_id}", items.delete_item, scopes=WRITE, raises=(NotFoundError,)),
]
