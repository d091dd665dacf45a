"""The services that the order desk calls, for trying it: a payment service and a warehouse, on one port.

`python other_services.py PORT` serves until it is stopped. It needs nothing but Python, so that it runs in a pod, too.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

MOST_PAID = 1_000


class OtherServices(BaseHTTPRequestHandler):
    """Takes payments of up to 1,000 and declines larger ones with a 402; takes all that the warehouse is told."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        declined = self.path == "/payments" and float(body["amount"]) > MOST_PAID
        self.send_response(402 if declined else 204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def running_other_services() -> Iterator[str]:
    """Run them on a free port until the block ends, and yield their address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), OtherServices) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


if __name__ == "__main__":
    ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), OtherServices).serve_forever()
