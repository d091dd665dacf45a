"""`make demo`: scaffolds a service with the defaults, runs it, and walks through its API.

`make demo EXAMPLE=order-desk` does the same with examples/order-desk.
"""

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cookiecutter.main import cookiecutter
from rich.console import Console
from rich.json import JSON

from harness.baking import own_settings
from harness.example import bake_example
from harness.other_services import running_other_services
from harness.repository import BUILD, REPOSITORY

FOLDER = BUILD / "demo"
LOG = FOLDER / "service.log"
API = f"http://127.0.0.1:{os.environ.get('PORT', '8080')}"
INTERNAL = f"http://127.0.0.1:{os.environ.get('INTERNAL_PORT', '8081')}"
START_SECONDS = 300  # includes the installation of the service's environment

console = Console(highlight=False)


def main() -> None:
    """Run the demo. A failure is reported as a message and a non-zero exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="end after the tour")
    parser.add_argument("--example", choices=["order-desk"], help="show an example in the place of a new service")
    arguments = parser.parse_args()
    for each in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # shells start background jobs with SIGINT ignored
        signal.signal(each, signal.default_int_handler)
    try:
        with shown(arguments.example) as process:
            if not arguments.once:
                serve_until_interrupted(process)
    except KeyboardInterrupt:
        console.print("\nStopped.")


@contextmanager
def shown(example: str | None) -> Iterator[subprocess.Popen[bytes]]:
    """Run a new service, or an example, show its tour, and yield its process."""
    if not example:
        with running(scaffold()) as process:
            tour()
            yield process
        return
    with running_other_services() as url:
        environment = {"PAYMENT_URL": url, "WAREHOUSE_URL": url, "WEBHOOK_SECRET": "secret"}
        with running(scaffold(bake_example), **environment) as process:
            tour_of_the_order_desk()
            yield process


def baked(folder: Path) -> Path:
    """Bake a service with the default answers."""
    with own_settings():
        return Path(cookiecutter(str(REPOSITORY), no_input=True, overwrite_if_exists=True, output_dir=str(folder)))


def scaffold(make: Callable[[Path], Path] = baked) -> Path:
    """Bake a service. Keep the environment of an earlier demo: make updates it if needed."""
    if FOLDER.exists():
        for old in (path for folder in FOLDER.iterdir() if folder.is_dir() for path in folder.iterdir()):
            if old.name != ".venv":
                shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
    begun = time.monotonic()
    FOLDER.mkdir(parents=True, exist_ok=True)
    service = make(FOLDER)
    console.print(f"[bold]Scaffolded[/bold] {service.relative_to(REPOSITORY)} in {time.monotonic() - begun:.1f} s")
    return service


@contextmanager
def running(service: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `make run` of the service, with further variables, until the block ends."""
    console.print(f"[bold]Starting[/bold] make run (its output goes to {LOG.relative_to(REPOSITORY)}) …")
    begun = time.monotonic()
    with LOG.open("wb") as log:
        # In a separate session, so that Ctrl-C does not stop the service before this program prints its last message.
        process = subprocess.Popen(
            ["make", "--no-print-directory", "run", f"PYTHON={for_make(sys.executable)}"],
            cwd=service, env=os.environ | environment,
            stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    try:
        until_ready(process)
        console.print(f"[bold]Ready[/bold] after {time.monotonic() - begun:.1f} s\n")
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            process.wait()


def for_make(path: str) -> str:
    """Quote a path for a command in a Makefile variable."""
    return shlex.quote(path).replace("$", "$$")


def until_ready(process: subprocess.Popen[bytes]) -> None:
    """Wait until the service logs that it is ready."""
    for _ in range(START_SECONDS * 10):
        if process.poll() is not None:
            sys.exit(f"The service did not start:\n{LOG.read_text(errors='replace')[-2000:]}")
        try:
            urllib.request.urlopen(f"{INTERNAL}/readyz", timeout=1)
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"The service was not ready after {START_SECONDS} s:\n{LOG.read_text(errors='replace')[-2000:]}")


def tour() -> None:
    """Create, read, list, replace, change and delete an item, and show the response to an invalid request."""
    lamp = {"name": "Lamp", "description": "Bright", "price_cents": 1999}
    item = request("POST", "/v1/items", 201, lamp)
    path = f"/v1/items/{item['id']}"
    request("GET", path, 200)
    request("GET", "/v1/items?limit=10", 200)
    request("PUT", path, 200, {"name": "Candle", "price_cents": 250})
    request("PATCH", path, 200, {"price_cents": 300})
    request("POST", "/v1/items", 422, {"name": "", "price_cents": -1})
    request("DELETE", path, 204)
    request("GET", path, 404)


def tour_of_the_order_desk() -> None:
    """Place an order, have a payment declined, and show what has become of the orders."""
    customer = request("POST", "/v1/customers", 201, {"email": "ada@example.com", "name": "Ada"})
    order = {"customer_id": customer["id"], "tags": ["phone"], "metadata": {"gift": True}}
    for price, expected in (("0.10", 200), ("999.99", 402)):
        path = f"/v1/orders/{request('POST', '/v1/orders', 201, order)['id']}"
        request("POST", f"{path}/lines", 201, {"sku": "LAMP", "quantity": 3, "price": price})
        request("PUT", f"{path}/placement", expected)
    request("PATCH", path, 200, {"tags": ["phone", "call back"]})
    request("GET", "/v1/orders?status=placed&sort=-placed_at", 200)
    console.print("[bold cyan]GET[/bold cyan] /v1/orders.csv")
    with urllib.request.urlopen(f"{API}/v1/orders.csv", timeout=10) as export:
        console.print(export.read().decode())
    console.print("[bold cyan]GET[/bold cyan] /v1/order-events, the first event")
    with urllib.request.urlopen(f"{API}/v1/order-events", timeout=10) as events:
        console.print(events.readline().decode() + events.readline().decode())


def request(method: str, path: str, expected: int, body: dict[str, Any] | None = None) -> Any:
    """Send a request, and print the request and its response.

    Raises:
        SystemExit: the response has an unexpected status.
    """
    console.print(f"[bold cyan]{method}[/bold cyan] {path}", end=" ")
    console.print(JSON.from_data(body, indent=None) if body else "")
    data = json.dumps(body).encode() if body else None
    outgoing = urllib.request.Request(API + path, data, {"Content-Type": "application/json"}, method=method)
    try:
        response = urllib.request.urlopen(outgoing, timeout=10)
    except urllib.error.HTTPError as error:
        response = error
    with response:
        content = response.read()
    colour = "green" if response.status < 400 else "yellow"
    console.print(f"[bold {colour}]{response.status}[/bold {colour}]", response.reason)
    answer = json.loads(content) if content else None
    if answer is not None:
        console.print(JSON.from_data(answer))
    console.print()
    if response.status != expected:
        sys.exit(f"{method} {path} was answered with {response.status}, not {expected}; see {LOG}")
    return answer


def serve_until_interrupted(process: subprocess.Popen[bytes]) -> None:
    """Print the addresses and wait for Ctrl-C.

    Raises:
        SystemExit: the service ended unexpectedly.
    """
    for name, address in (
        ("API documentation", f"{API}/docs"),
        ("Readiness", f"{INTERNAL}/readyz"),
        ("Metrics", f"{INTERNAL}/metrics"),
    ):
        console.print(f"[bold]{name:<18}[/bold] {address}")
    console.print("\nServing until Ctrl-C …")
    while process.poll() is None:  # polling: a signal right before a wait without timeout would be missed
        time.sleep(0.2)
    sys.exit(f"The service ended:\n{LOG.read_text(errors='replace')[-2000:]}")


if __name__ == "__main__":
    main()
