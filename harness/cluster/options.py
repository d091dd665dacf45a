"""Settings of the cluster, from environment variables. The defaults fit kind."""

import os
import shlex
import sys
from dataclasses import dataclass
from typing import Self

STAND_IN = "localhost/e2e-postgres:18"
"""The image that is built from `harness/cluster/postgres`, for clusters that cannot pull PostgreSQL's own."""


@dataclass(frozen=True)
class Options:
    """How to reach the cluster, and how to load images into it.

    Attributes:
        build: the command that builds an image; it is called with `--tag NAME FOLDER`.
        load: the command that loads images onto the cluster's nodes; it is called with their names.
        ingress_port: the port of the Ingress controller and the Gateway on 127.0.0.1.
        gateway: namespace and name of the Gateway.
        postgres_image: the image for modes external and evaluation; `STAND_IN` is built first.
    """

    build: tuple[str, ...]
    load: tuple[str, ...]
    ingress_port: int
    gateway: tuple[str, str]
    postgres_image: str

    @classmethod
    def from_environment(cls) -> Self:
        """Read BUILD, LOAD, INGRESS_PORT, GATEWAY and POSTGRES_IMAGE. An empty variable counts as not set."""
        namespace, _, gateway = _variable("GATEWAY", "kube-system/traefik").partition("/")
        return cls(
            build=tuple(shlex.split(_variable("BUILD", "docker build"))),
            load=tuple(shlex.split(_variable("LOAD", "kind load docker-image"))),
            ingress_port=int(_variable("INGRESS_PORT", "80")),
            gateway=(namespace, gateway),
            postgres_image=_variable("POSTGRES_IMAGE", "docker.io/library/postgres:18-alpine"),
        )


def require_cluster(what: str) -> None:
    """Check that there is a cluster.

    Args:
        what: the command that needs it, for the message.

    Raises:
        SystemExit: KUBECONFIG is not set.
    """
    if not os.environ.get("KUBECONFIG"):
        sys.exit(
            f"KUBECONFIG is not set: {what} needs a cluster. CONTRIBUTING.md tells how to get one, and what is set."
        )


def _variable(name: str, default: str) -> str:
    return os.environ.get(name) or default
