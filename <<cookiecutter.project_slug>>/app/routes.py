"""All routes of the service."""

from app.items import handlers as items
from chassis.contract import Route
from chassis.errors import NotFoundError

ROUTES: list[Route] = [
    Route("POST", "/v1/items", items.create_item, status=201, location="/v1/items/{id}", scopes=("items:write",)),
    Route("GET", "/v1/items", items.list_items, scopes=("items:read",)),
    Route("GET", "/v1/items/{item_id}", items.read_item, scopes=("items:read",), raises=(NotFoundError,)),
    Route("PUT", "/v1/items/{item_id}", items.replace_item, scopes=("items:write",), raises=(NotFoundError,)),
    Route("PATCH", "/v1/items/{item_id}", items.patch_item, scopes=("items:write",), raises=(NotFoundError,)),
    Route("DELETE", "/v1/items/{item_id}", items.delete_item, scopes=("items:write",), raises=(NotFoundError,)),
]
