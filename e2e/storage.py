"""Volumes of Kubernetes' own provisioner for trials are root's, whatever fsGroup says: they are opened by hand."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from e2e import images
from e2e.bench import Bench
from e2e.release import VOLUME

_DEFAULT = "storageclass.kubernetes.io/is-default-class"


async def is_for_root_only(bench: Bench) -> bool:
    """Whether that is the cluster's default provisioner."""
    return any(
        each["provisioner"] == "kubernetes.io/host-path"
        for each in await bench.objects("storageclass")
        if each["metadata"].get("annotations", {}).get(_DEFAULT) == "true"
    )


@asynccontextmanager
async def opened(bench: Bench) -> AsyncIterator[None]:
    """Opens the volume of mode evaluation to everybody, if need be, when there is one, which the block brings about."""
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
                    "image": f"{images.REPOSITORY}:1",
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
