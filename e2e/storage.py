"""Volumes of Kubernetes' host-path provisioner ignore fsGroup and belong to root. Changes their permissions."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from harness.cluster.bench import Bench
from harness.cluster.images import SERVICE_IMAGE
from harness.cluster.release import VOLUME

_DEFAULT = "storageclass.kubernetes.io/is-default-class"


async def is_for_root_only(bench: Bench) -> bool:
    """Return whether the host-path provisioner is the cluster's default."""
    return any(
        each["provisioner"] == "kubernetes.io/host-path"
        for each in await bench.objects("storageclass")
        if each["metadata"].get("annotations", {}).get(_DEFAULT) == "true"
    )


@asynccontextmanager
async def opened(bench: Bench) -> AsyncIterator[None]:
    """Make the volume of mode evaluation writable for everybody, if necessary. The block has to create the volume."""
    if not await is_for_root_only(bench):
        yield
        return
    opening = asyncio.create_task(_open(bench))
    try:
        yield
        await opening
    finally:
        opening.cancel()


async def _open(bench: Bench) -> None:
    await bench.kubectl("wait", "--for=create", f"pvc/{VOLUME}", "--timeout=2m")
    await bench.kubectl("wait", "--for=jsonpath={.status.phase}=Bound", f"pvc/{VOLUME}", "--timeout=1m")
    name = await bench.kubectl("get", f"pvc/{VOLUME}", "--output=jsonpath={.spec.volumeName}")
    volume = json.loads(await bench.kubectl("get", f"pv/{name}", "--output=json"))
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"{bench.namespace}-opens-a-volume", "namespace": "default"},
        "spec": {
            "restartPolicy": "Never",
            "securityContext": {"runAsUser": 0},
            "containers": [
                {
                    "name": "chmod",
                    "image": f"{SERVICE_IMAGE}:1",
                    "command": ["chmod", "0777", "/volume"],
                    "volumeMounts": [{"name": "volume", "mountPath": "/volume"}],
                }
            ],
            "volumes": [{"name": "volume", "hostPath": volume["spec"]["hostPath"]}],
        },
    }
    place = ("--namespace=default", f"pod/{bench.namespace}-opens-a-volume")
    await bench.kubectl("create", "--namespace=default", "--filename=-", given=pod)
    try:
        await bench.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", *place, "--timeout=1m")
    finally:
        await bench.kubectl("delete", *place)
