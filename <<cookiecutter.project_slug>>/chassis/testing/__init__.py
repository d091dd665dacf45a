"""The test kit: what the tests of a service are made of.

    async def test_a_reader_cannot_write(make_client: MakeClient, issuer: Issuer) -> None:
        client = await make_client(**issuer.settings)
        response = await client.post("/v1/items", json=LAMP, headers=issuer.authorization("items:read"))
        assert response.status == 403

`tests/conftest.py` has the fixtures that belong to this service: `settings`, `make_client`, `client`. The others are in
`chassis.testing.plugin`:

- `server_url`, `migrated_url`, `database_url`: a PostgreSQL server, and on it a database that is migrated and empty;
- `database`: the same database, for statements of the test itself;
- `issuer`: an OIDC issuer, for callers with scopes;
- `other_service`: another service, whose answers the test decides.

The fixture `time_machine`, from the library of that name, sets the time. Timeouts use another clock, which goes on.
"""

from chassis.testing.client import Client, MakeClient, changed_settings, clients_of, examples_of
from chassis.testing.issuer import Issuer
from chassis.testing.other_service import Call, OtherService
from chassis.testing.processes import ServiceProcess, free_port, service_process

__all__ = [
    "Call",
    "Client",
    "Issuer",
    "MakeClient",
    "OtherService",
    "ServiceProcess",
    "changed_settings",
    "clients_of",
    "examples_of",
    "free_port",
    "service_process",
]
