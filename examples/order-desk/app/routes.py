"""All routes of the service."""

from app.customers import handlers as customers
from app.lines import handlers as lines
from app.orders import handlers as orders
from app.orders.attachments import UPLOADS, attach_file, list_attachments, send_attachment
from app.orders.chat import chat
from app.orders.drafts import NotADraftError
from app.orders.events import send_order_events
from app.orders.export import export_orders
from app.orders.placing import place_order
from app.payments import PaymentDeclinedError, WrongSignatureError, take_refund
from app.prices.handlers import read_price
from chassis.contract import Route
from chassis.errors import ConflictError, NotFoundError

_READ, _WRITE = ("orders:read",), ("orders:write",)

ROUTES: list[Route] = [
    Route(
        "POST",
        "/v1/customers",
        customers.create_customer,
        status=201,
        location="/v1/customers/{id}",
        scopes=("customers:write",),
    ),
    Route("GET", "/v1/customers", customers.list_customers, scopes=("customers:read",)),
    Route(
        "GET",
        "/v1/customers/{customer_id}",
        customers.read_customer,
        scopes=("customers:read",),
        raises=(NotFoundError,),
    ),
    Route(
        "PATCH",
        "/v1/customers/{customer_id}",
        customers.patch_customer,
        scopes=("customers:write",),
        raises=(NotFoundError,),
    ),
    Route(
        "DELETE",
        "/v1/customers/{customer_id}",
        customers.delete_customer,
        scopes=("customers:write",),
        raises=(NotFoundError,),
    ),
    Route("POST", "/v1/orders", orders.create_order, status=201, location="/v1/orders/{id}", scopes=("orders:write",)),
    Route("GET", "/v1/orders", orders.list_orders, scopes=("orders:read",)),
    Route("GET", "/v1/orders/{order_id}", orders.read_order, scopes=("orders:read",), raises=(NotFoundError,)),
    Route(
        "PATCH",
        "/v1/orders/{order_id}",
        orders.patch_order,
        scopes=("orders:write",),
        raises=(NotFoundError, NotADraftError),
    ),
    Route(
        "PUT",
        "/v1/orders/{order_id}/placement",
        place_order,
        scopes=_WRITE,
        raises=(NotFoundError, NotADraftError, PaymentDeclinedError),
    ),
    Route("GET", "/v1/prices/{sku}", read_price, scopes=_READ, raises=(NotFoundError,)),
    Route("GET", "/v1/orders/{order_id}/chat", chat, scopes=_WRITE, raises=(NotFoundError,)),
    Route(
        "POST",
        "/v1/orders/{order_id}/attachments",
        attach_file,
        status=201,
        location="/v1/orders/{order_id}/attachments/{id}",
        consumes=("multipart/form-data",),
        limits=UPLOADS,
        scopes=_WRITE,
        raises=(NotFoundError,),
    ),
    Route("GET", "/v1/orders/{order_id}/attachments", list_attachments, scopes=_READ, raises=(NotFoundError,)),
    Route(
        "GET",
        "/v1/orders/{order_id}/attachments/{attachment_id}",
        send_attachment,
        produces="application/octet-stream",
        scopes=_READ,
        raises=(NotFoundError,),
    ),
    Route("POST", "/v1/refunds", take_refund, public=True, raises=(ConflictError, WrongSignatureError)),
    Route("GET", "/v1/orders.csv", export_orders, produces="text/csv", scopes=_READ),
    Route("GET", "/v1/order-events", send_order_events, produces="text/event-stream", scopes=_READ),
    Route(
        "POST",
        "/v1/orders/{order_id}/lines",
        lines.create_line,
        status=201,
        location="/v1/orders/{order_id}/lines/{id}",
        scopes=("lines:write",),
        raises=(NotFoundError, NotADraftError),
    ),
    Route("GET", "/v1/orders/{order_id}/lines", lines.list_lines, scopes=("lines:read",), raises=(NotFoundError,)),
    Route(
        "GET", "/v1/orders/{order_id}/lines/{line_id}", lines.read_line, scopes=("lines:read",), raises=(NotFoundError,)
    ),
    Route(
        "DELETE",
        "/v1/orders/{order_id}/lines/{line_id}",
        lines.delete_line,
        scopes=("lines:write",),
        raises=(NotFoundError, NotADraftError),
    ),
]
