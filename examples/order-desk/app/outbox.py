"""The outbox: the warehouse is told the events of an order in their order, each at least once."""

import structlog
from aiohttp import ClientError, ClientSession

from app.settings import Settings
from chassis.database import Database
from chassis.service import every

log = structlog.get_logger()

_TAKE = """
    UPDATE order_events
    SET attempts = attempts + 1, due_at = now() + interval '1 second' * 2 ^ least(attempts, 6)
    WHERE id = (
        SELECT id FROM order_events AS event
        WHERE due_at <= now() AND NOT EXISTS (
            SELECT FROM order_events WHERE order_id = event.order_id AND id < event.id AND due_at IS NOT NULL
        )
        ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING id, order_id, status, attempts
"""


@every(1, alone=True)
async def send_events(database: Database, client: ClientSession, settings: Settings) -> None:
    """Send the events that are due. One that cannot be sent is due again, after 64 seconds at most."""
    while event := await database.fetchrow(_TAKE):
        body = {"order_id": event["order_id"], "status": event["status"]}
        headers = {"Idempotency-Key": f"order-event-{event['id']}"}
        try:
            async with client.post(f"{settings.warehouse_url}/orders", json=body, headers=headers, max_redirects=1):
                await database.execute("UPDATE order_events SET due_at = NULL WHERE id = $1", event["id"])
        except (ClientError, TimeoutError) as error:
            reason = f"{type(error).__name__}: {error}"
            log.warning("event_not_sent", id=event["id"], attempts=event["attempts"], reason=reason)
