"""The keys that an OIDC issuer publishes (JWKS, RFC 7517), kept at hand."""

import asyncio
import time
from typing import Never

import structlog
from aiohttp import ClientSession
from jwt import PyJWK, PyJWKSet

from chassis.client import reason_of
from chassis.errors import DependencyUnavailableError
from chassis.limits import InFlight

log = structlog.get_logger()

# Signatures that only the issuer can make. With a secret that both sides know, whoever checks a token could write one.
_ALGORITHMS = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
_FRESH_SECONDS = 300
_PAUSE_SECONDS = 10


class KeySet:
    """An issuer's keys, read in the background and whenever a token names a new one.

    While the issuer cannot be reached, the keys that are known stay good.

    Args:
        url: where the issuer has them.
        in_flight: where a request has no place while it waits for the issuer.
    """

    _client: ClientSession

    def __init__(self, url: str, in_flight: InFlight) -> None:
        self._url = url
        self._in_flight = in_flight
        self._keys: dict[str | None, PyJWK] = {}
        self._answered = False
        self._reading = asyncio.Lock()
        self._next_search = 0.0

    async def find(self, key_id: str | None) -> PyJWK | None:
        """The key of this id, or None where the issuer has none.

        Raises:
            DependencyUnavailableError: the key is not known here, and the issuer does not answer.
            OverloadedError: it is known since, and every place in flight is taken.
        """
        if key_id not in self._keys:
            async with self._in_flight.waiting(), self._reading:
                # Made-up ids must not become a load on the issuer, however many requests bring them.
                if key_id not in self._keys and time.monotonic() >= self._next_search:
                    self._next_search = time.monotonic() + _PAUSE_SECONDS
                    await self._read()
        if key_id not in self._keys and not self._answered:
            raise DependencyUnavailableError
        return self._keys.get(key_id)

    async def keep_fresh(self, client: ClientSession) -> Never:
        """Reads the keys now and again, until it is cancelled: one that the issuer took back is good no longer."""
        self._client = client
        while True:
            async with self._reading:
                await self._read()
            await asyncio.sleep(_FRESH_SECONDS if self._answered else _PAUSE_SECONDS)

    async def _read(self) -> None:
        try:
            async with self._client.get(self._url, allow_redirects=False) as response:
                self._keys = _usable(PyJWKSet.from_json(await response.text()))
            self._answered = True
        except Exception as error:  # whatever it is, the log says it and the next try may do
            self._answered = False
            log.warning("jwks_unavailable", reason=reason_of(error), known_keys=len(self._keys))


def _usable(found: PyJWKSet) -> dict[str | None, PyJWK]:
    """The keys that sign tokens, by their ids; an id that is none is left out."""
    signing = [key for key in found.keys if key.algorithm_name in _ALGORITHMS and key.public_key_use != "enc"]
    return {key.key_id: key for key in signing if isinstance(key.key_id, str | None)}
