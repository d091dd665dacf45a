"""What this service is made of; chassis/service.py tells what else there can be."""

from app.news import listen, news
from app.orders.drafts import NotADraftError, cancel_stale_drafts
from app.orders.placing import finish_placing
from app.outbox import send_events
from app.payments import PaymentDeclinedError, WrongSignatureError
from app.prices.cache import price_cache
from app.prices.commands import import_prices
from app.routes import ROUTES
from app.settings import Settings
from chassis.errors import Problem
from chassis.service import Service

SERVICE = Service(
    settings=Settings,
    routes=ROUTES,
    resources=[news, price_cache],
    background=[cancel_stale_drafts, finish_placing, listen, send_events],
    commands=[import_prices],
    errors={
        NotADraftError: Problem(409, "not-a-draft"),
        PaymentDeclinedError: Problem(402, "payment-declined"),
        WrongSignatureError: Problem(403, "wrong-signature"),
    },
)
