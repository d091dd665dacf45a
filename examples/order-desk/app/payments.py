"""The payment service: it takes the total of an order, and tells by a webhook if it gives it back."""

import hmac
from typing import Annotated

from aiohttp import ClientResponseError, ClientSession, web

from app.orders.events import record
from app.orders.models import Order
from app.orders.queries import change_status, select_order
from app.settings import Settings
from chassis.contract import Header
from chassis.database import Database
from chassis.errors import ConflictError, ServiceError
from chassis.models import Body, Id


class PaymentDeclinedError(ServiceError):
    """The payment service has declined the payment."""


async def charge(order: Order, client: ClientSession, settings: Settings) -> None:
    """Have the payment service take the total of an order, once for each version of the order.

    It has to give the same answer to the same `Idempotency-Key`, a declined payment included.

    Raises:
        PaymentDeclinedError: it declines, and has taken nothing.
        ClientError, TimeoutError: nobody knows whether it has taken the total. Call again with the same order.
    """
    headers = {"Idempotency-Key": f"order-{order.id}-{order.version}"}
    payment = {"order_id": order.id, "amount": str(order.total)}
    try:
        # A redirect is an error: aiohttp would follow it with a GET, whose success is no payment.
        async with client.post(f"{settings.payment_url}/payments", json=payment, headers=headers, max_redirects=1):
            return
    except ClientResponseError as error:
        if error.status != 402:
            raise
        raise PaymentDeclinedError(
            f"The payment of {order.total} was declined. Use another means of payment."
        ) from error


class WrongSignatureError(ServiceError):
    """The signature does not fit the body."""


class Refund(Body):
    """The payment service has given the total of an order back."""

    order_id: Id


async def take_refund(
    body: Refund, request: web.Request, x_signature: Annotated[str, Header()], database: Database, settings: Settings
) -> None:
    """Cancel an order whose payment was given back; telling it again changes nothing"""
    secret = settings.webhook_secret.get_secret_value().encode()
    expected = hmac.new(secret, await request.read(), "sha256").hexdigest()
    if not hmac.compare_digest(expected.encode(), x_signature.encode()):
        raise WrongSignatureError("The signature in X-Signature does not fit the body.")
    async with database.transaction() as transaction:
        order = await select_order(transaction, body.order_id)
        if order and order.status == "placing":
            raise ConflictError(f"Order {order.id} is being placed. Send its refund again later.")
        if order and order.status == "placed" and (order := await change_status(transaction, order, "cancelled")):
            await record(transaction, order)
