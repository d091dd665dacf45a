"""What the API server says about objects that nobody creates: requests with `dryRun`, through `kubectl proxy`."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from harness.cluster.bench import Object
from harness.repository import TOOLS

_ASKED = "dryRun=All&fieldValidation=Strict"
_AT_ONCE = 8


@dataclass
class ApiServer:
    """The API server at a URL.

    Attributes:
        namespace: the namespace of objects that name none.
    """

    url: str
    namespace: str
    _resources: dict[str, dict[str, Object]] = field(default_factory=dict)
    _turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    async def refuses(self, object_: Object, helm: str) -> str:
        """Return why the API server refuses an object of a new release, or an empty string if it takes the object.

        Args:
            helm: `helm3`, which creates objects, or `helm`, which applies them on the server.
        """
        object_ = _without_references(object_)
        path = await self._path(object_)
        if not path:
            return f"the cluster knows no {object_['kind']} of {object_['apiVersion']}"
        if helm == "helm3":
            status, said = await self._ask("POST", f"{path}?{_ASKED}", object_)
        else:
            name = object_["metadata"]["name"]
            status, said = await self._ask("PATCH", f"{path}/{name}?{_ASKED}&fieldManager=helm&force=true", object_)
        # Whether an object is there already is looked at last, so the API server would take the object.
        return "" if status in {200, 201, 409} else str(said.get("message", said))

    async def _path(self, object_: Object) -> str:
        """Return the path of the objects of a kind; empty if the cluster does not know the kind."""
        version = object_["apiVersion"]
        group = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if version not in self._resources:
            _, found = await self._ask("GET", group)
            listed = [each for each in found.get("resources", []) if "/" not in each["name"]]
            self._resources[version] = {each["kind"]: each for each in listed}
        resource = self._resources[version].get(object_["kind"])
        if resource is None:
            return ""
        namespace = object_["metadata"].get("namespace", self.namespace)
        return (
            f"{group}/namespaces/{namespace}/{resource['name']}"
            if resource["namespaced"]
            else f"{group}/{resource['name']}"
        )

    async def _ask(self, method: str, path: str, body: Any = None) -> tuple[int, Mapping[str, Any]]:
        async with self._turn:
            return await asyncio.to_thread(_ask, method, self.url + path, body)


def _ask(method: str, url: str, body: Any) -> tuple[int, Mapping[str, Any]]:
    kind = "application/apply-patch+yaml" if method == "PATCH" else "application/json"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": kind}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def _without_references(object_: Object) -> Object:
    """Return a pod as a template: of a pod, the API server also wants its service account and priority class there."""
    if object_["kind"] != "Pod":
        return object_
    template = {"metadata": {"labels": object_["metadata"].get("labels", {})}, "spec": object_["spec"]}
    return {"apiVersion": "v1", "kind": "PodTemplate", "metadata": object_["metadata"], "template": template}


@asynccontextmanager
async def api_server(namespace: str) -> AsyncIterator[ApiServer]:
    """Reach the API server of KUBECONFIG's cluster as kubectl does."""
    process = await asyncio.create_subprocess_exec(
        TOOLS / "kubectl", "proxy", "--port=0", "--reject-paths=^$", stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None, "a pipe"
        # "Starting to serve on 127.0.0.1:39483"
        address = (await asyncio.wait_for(process.stdout.readline(), 30)).decode().split()[-1]
        yield ApiServer(f"http://{address}", namespace)
    finally:
        process.terminate()
        await process.wait()
