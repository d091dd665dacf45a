"""A cache of the keys that an OIDC issuer publishes (JWKS, RFC 7517)."""

import asyncio
import time
from typing import Never

import structlog
from aiohttp import ClientSession
from jwt import PyJWK, PyJWKSet

from chassis.errors import DependencyUnavailableError
from chassis.http.admission import InFlightLimit
from chassis.http.client import reason_of

log = structlog.get_logger()

# Asymmetric algorithms only: with a shared secret, everybody who can verify a token could also sign one.
_ALGORITHMS = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
_REFRESH_SECONDS = 300
_RETRY_SECONDS = 10


class KeySet:
    """An issuer's keys, read periodically and when a token names an unknown key.

    While the issuer does not answer, the keys read before stay valid.

    Args:
        url: the URL of the issuer's JWKS.
        in_flight: a request does not count as in flight while it waits for the issuer.
    """

    _client: ClientSession

    def __init__(self, url: str, in_flight: InFlightLimit) -> None:
        self._url = url
        self._in_flight = in_flight
        self._keys: dict[str | None, PyJWK] = {}
        self._answered = False
        self._reading = asyncio.Lock()
        self._next_read = 0.0

    async def find(self, key_id: str | None) -> PyJWK | None:
        """Return the key with this id, or None if the issuer has none.

        Raises:
            DependencyUnavailableError: the key is unknown, and the issuer does not answer.
            OverloadedError: the issuer was asked, and then no room in flight became free in time.
        """
        if key_id not in self._keys:
            async with self._in_flight.released(), self._reading:
                # A rate limit: tokens with made-up key ids must not put load on the issuer.
                if key_id not in self._keys and time.monotonic() >= self._next_read:
                    self._next_read = time.monotonic() + _RETRY_SECONDS
                    await self._read()
        if key_id not in self._keys and not self._answered:
            raise DependencyUnavailableError
        return self._keys.get(key_id)

    async def keep_fresh(self, client: ClientSession) -> Never:
        """Read the keys periodically until cancelled, so that a key that the issuer has revoked becomes invalid."""
        self._client = client
        while True:
            async with self._reading:
                await self._read()
            await asyncio.sleep(_REFRESH_SECONDS if self._answered else _RETRY_SECONDS)

    async def _read(self) -> None:
        try:
            async with self._client.get(self._url, allow_redirects=False) as response:
                self._keys = _signing_keys(PyJWKSet.from_json(await response.text()))
            self._answered = True
        except Exception as error:  # the next attempt may succeed
            self._answered = False
            log.warning("jwks_unavailable", reason=reason_of(error), known_keys=len(self._keys))


def _signing_keys(found: PyJWKSet) -> dict[str | None, PyJWK]:
    """Return the signing keys by their ids, without keys whose id is not a string."""
    signing = [key for key in found.keys if key.algorithm_name in _ALGORITHMS and key.public_key_use != "enc"]
    return {key.key_id: key for key in signing if isinstance(key.key_id, str | None)}
