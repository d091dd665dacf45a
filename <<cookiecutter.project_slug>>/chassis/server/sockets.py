"""Listening sockets."""

import os
import resource
import socket

BACKLOG = 1024
"""Connections that wait to be accepted. The kernel drops one more, and its client tries again a second later."""

# Of a connection, in the kernel. Otherwise it takes megabytes for each client that does not read.
_MAX_UNSENT_BYTES = 128 * 1024


def limit_unsent(listening: socket.socket) -> None:
    """Limit the unsent bytes that the kernel takes for each connection that is accepted from now on.

    Bytes on their way to the client do not count, so that a fast client with a long way has its full rate.
    """
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _MAX_UNSENT_BYTES)


_DEAD_CLIENT_SECONDS = 60


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket.

    Args:
        host: an address of this machine; `::` stands for all addresses, those of IPv4 included.
        port: 0 for any free port.

    Raises:
        OSError: the address is in use or not of this machine; the message names the address and the settings.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    dual_stack = host == "::" and socket.has_dualstack_ipv6()
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG, dualstack_ipv6=dual_stack)
    except (OSError, TypeError) as error:  # TypeError: not a host name at all
        errno = getattr(error, "errno", None) or 0
        reason = os.strerror(errno) if errno > 0 else error  # the error's own text repeats the address
        raise OSError(f"Cannot listen on {host}:{port}: {reason}. Free it, or set HOST, PORT, INTERNAL_PORT.") from None


def drop_dead_clients(listening: socket.socket) -> None:
    """Have the kernel end connections whose client has lost its network, and acknowledges nothing that is sent to it.

    Otherwise a stream to it would keep its place for a quarter of an hour.

    Args:
        listening: the socket whose connections to end.
    """
    if option := getattr(socket, "TCP_USER_TIMEOUT", None):  # Linux has it
        listening.setsockopt(socket.IPPROTO_TCP, option, _DEAD_CLIENT_SECONDS * 1000)


def raise_file_limit() -> None:
    """Raise this process's limit of open files, and so of connections, to the hard limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:  # macOS has no limit here and does not accept infinity
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
