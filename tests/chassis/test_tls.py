"""TLS to the database: a connection requires a certificate that is valid for the CA file and the host name."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from harness.addresses import on_port, open_raw
from tests.chassis.processes import example_process

_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a CA for tests")])


def _certificate(folder: Path) -> Path:
    """Write a CA certificate, which also serves `localhost`, and its key; return the path of the certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(_NAME, _NAME, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir()
    (folder / "ca.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "tls.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return folder / "ca.crt"


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


@asynccontextmanager
async def _tls_before(url: str, certificate: Path | None) -> AsyncIterator[int]:
    """Forward a port with TLS to the PostgreSQL server at `url`. Without a certificate, the port refuses TLS."""
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)  # the SSLRequest message
        writer.write(b"S" if certificate else b"N")
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, certificate.with_name("tls.key"))
            await writer.start_tls(context)
        from_server, to_server = await open_raw(url)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_copy(reader, to_server))
                await _copy(from_server, writer)
        finally:
            to_server.transport.abort()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(reader, writer))
        connections.add(task)
        await asyncio.wait([task])  # raises nothing: in some tests the client rejects the certificate
        writer.transport.abort()

    server = await asyncio.start_server(connect, "localhost", 0, family=socket.AF_INET)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for task in connections:
        task.cancel()
    await asyncio.gather(*connections, return_exceptions=True)


@pytest.mark.parametrize("by", ["address", "variables"])
async def test_a_certificate_of_the_ca_for_this_host_is_accepted(database_url: str, tmp_path: Path, by: str) -> None:
    ca = _certificate(tmp_path / "one")
    async with _tls_before(database_url, ca) as port:
        query = f"?sslmode=verify-full&sslrootcert={ca}" if by == "address" else ""
        variables = {} if by == "address" else {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": str(ca)}
        async with example_process(on_port(database_url, port, "localhost", query), environment=variables) as service:
            assert service.lines[-1]["event"] == "ready"
            assert str(ca) not in str(service.lines)


@pytest.mark.parametrize(
    ("server", "ca", "host", "reason"),
    [
        ("one", "two", "localhost", "CERTIFICATE_VERIFY_FAILED"),
        ("one", "one", "127.0.0.1", "IP address mismatch"),
        (None, "one", "localhost", "rejected SSL upgrade"),
    ],
)
async def test_any_other_server_is_refused(
    database_url: str, tmp_path: Path, server: str | None, ca: str, host: str, reason: str
) -> None:
    certificates = {name: _certificate(tmp_path / name) for name in ("one", "two")}
    rule = f"?sslmode=verify-full&sslrootcert={tmp_path / ca / 'ca.crt'}"
    async with _tls_before(database_url, certificates[server] if server else None) as port:
        url = on_port(database_url, port, host, rule)
        async with example_process(url, ready=False) as service:
            line = await service.until_logged("not_ready")
            assert reason in line["waiting_for"]


async def test_a_ca_file_that_is_missing_stops_the_start() -> None:
    url = "postgresql://a@localhost/b?sslmode=verify-full&sslrootcert=/no/such/file"
    async with example_process(
        url, ready=False, environment={"PGSSLROOTCERT": "/no/other", "PGSSLMODE_FILE": "/a"}
    ) as service:
        _, errors = await service.process.communicate()
    lines = errors.decode().splitlines()
    assert "PGSSLMODE_FILE: is not known" in lines[1]
    assert "DATABASE_URL: should name a file that is there in sslrootcert" in lines[2]
    assert "PGSSLROOTCERT: path does not point to a file" in lines[3]
