"""Runs the pods of a rendered release on this machine, as their manifests say, in separate Linux namespaces.

When imported, this module finds a way for this user to create the namespaces, and runs itself in them. As a program,
it acts as the node: it starts the containers, replaces kube-proxy and the kubelet, and prints its results as JSON.
"""

import asyncio
import fcntl
import http.client
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

Object = dict[str, Any]

POD, CLUSTER = "127.0.0.10", "127.0.0.20"
"""The addresses of the pod and of Services with a cluster IP. A server only on 127.0.0.1 can be reached at neither."""
PATIENCE_SECONDS = 60
_CONTAINER = str(Path(__file__).with_name("container.py"))
_NAMESPACES = ("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
_EXAMINE = """
import errno, json, pathlib
def write(folder):
    try:
        pathlib.Path(folder, "written").write_text("")
    except OSError as error:
        return errno.errorcode[error.errno]
    return "written"
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
about = {name: status[name].split() for name in ("Uid", "Gid", "CapEff", "CapPrm", "CapBnd", "NoNewPrivs")}
print(json.dumps({**about, "writes": {folder: write(folder) for folder in ("/", "/etc", "/usr", "/service", "/tmp")}}))
"""


def way_in(user: int, group: int) -> list[str] | None:
    """Return the command prefix that runs a program in new namespaces, or None if this user cannot create them.

    Args:
        user: the user id of the containers. Without root, the current user is mapped to it.
        group: the group id of the containers, likewise.
    """
    ways = (
        ["sudo", "-n", *_NAMESPACES] if os.geteuid() else [*_NAMESPACES],
        [_NAMESPACES[0], f"--map-user={user}", f"--map-group={group}", "--keep-caps", *_NAMESPACES[1:]],
    )
    for way in ways:
        try:
            if subprocess.run([*way, "true"], capture_output=True, check=False).returncode == 0:
                return way
        except OSError:  # sudo is not installed
            continue
    return None


def run(way: list[str], release: Object) -> Object:
    """Migrate, start the service, probe it, run `helm test`, stop the service, and return the observations.

    Args:
        way: the result of `way_in`.
        release: the rendered `objects`; the `secrets`, by name and key; and the `image` with its `environment`, its
            working `folder`, its `user` and `group`, for pods that set none, and its `mounts`, which map folders of the
            image to folders of this machine.
    """
    done = subprocess.run(
        [*way, sys.executable, __file__], input=json.dumps(release), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-6000:]
    seen: Object = json.loads(done.stdout)
    return seen


def node(release: Object, scratch: Path) -> Object:
    """Run the life cycle of a release, and return the observations."""
    bring_up_loopback()
    objects = release["objects"]
    job, deployment, test = (
        next(each for each in objects if each["kind"] == kind) for kind in ("Job", "Deployment", "Pod")
    )
    pod = deployment["spec"]["template"]
    hosts = proxy([each for each in objects if each["kind"] == "Service"], pod)
    (scratch / "hosts").write_text(hosts)

    def container(pod: Object, **changes: Any) -> Container:
        return Container({**pod["spec"]["containers"][0], **changes}, pod["spec"], release, scratch)

    migration = container(job["spec"]["template"])
    seen: Object = {"migration": migration.complete()}
    service = container(pod)
    with service.running() as process:
        seen["probes"] = {}
        for name in ("startup", "readiness", "liveness"):
            seen["probes"][name] = answers(service.manifest, name, process)
        examined = container(pod, command=["python", "-c", _EXAMINE]).complete()
        helm_test = container(test)
        seen |= {"examined": examined, "test": helm_test.complete(), "first process": service.status()}
        monitor = next(each for each in objects if each["kind"] == "ServiceMonitor")["spec"]["endpoints"][0]
        _, seen["metrics"] = ask(service.manifest, monitor["port"], monitor["path"])
        service.signal(signal.SIGTERM)
        try:
            seen["end"] = process.wait(pod["spec"]["terminationGracePeriodSeconds"])
        except subprocess.TimeoutExpired:
            seen["end"] = "it was still there after its grace period"
    seen["log"] = service.log.read_text(errors="replace")[-3000:]
    seen["memory"] = {
        name: {"limit": each.limit, "peak": each.peak}
        for name, each in (("service", service), ("migration", migration), ("test", helm_test))
    }
    return seen


class Container:
    """A container of a pod, started by the node."""

    def __init__(self, manifest: Object, pod: Object, release: Object, scratch: Path) -> None:
        self.manifest, self._pod, self._release, self._scratch = manifest, pod, release, scratch
        self._name = f"{manifest['name']}-{os.getpid()}-{time.time_ns()}"
        self.log = scratch / f"{self._name}.log"
        self.limit = mebibytes(manifest["resources"]["limits"]["memory"])
        self.peak: float | None = None
        """Peak memory in MiB, set when the container ends. None if the node cannot create a control group."""
        self._process: subprocess.Popen[bytes] | None = None

    def complete(self) -> Object:
        """Run the container until it ends; return its exit status and its log."""
        with self.running() as process:
            status = process.wait(PATIENCE_SECONDS)
        return {"status": status, "log": self.log.read_text(errors="replace")}

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """Start the container, and kill all of its processes when the block ends."""
        group = control_group(self._name, self.limit)
        order = {"manifest": self.manifest, "pod": self._pod, "group": str(group or ""), "scratch": str(self._scratch)}
        order |= {key: self._release[key] for key in ("image", "secrets")}
        unshare = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
        command = [*unshare, sys.executable, _CONTAINER, json.dumps(order)]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            yield self._process
        finally:
            if self._process.poll() is None:
                self.signal(signal.SIGKILL)  # its first process: the kernel then kills the others
                self._process.wait()
            if group:
                self.peak = peak(group)
                group.rmdir()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the first process of the container only."""
        os.kill(self._first(), number)

    def status(self) -> Object:
        """Return the kernel's status of the first process."""
        lines = Path(f"/proc/{self._first()}/status").read_text().splitlines()
        return {name: value.split() for name, value in (line.split(":", 1) for line in lines)}

    def _first(self) -> int:
        assert self._process
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        if self._process.poll() is not None:
            raise RuntimeError(f"{self.manifest['name']} has ended:\n{self.log.read_text(errors='replace')}")
        return int(children.read_text().split()[0])


def answers(manifest: Object, name: str, process: subprocess.Popen[bytes]) -> bool:
    """Return whether a probe succeeds before it reaches the failure threshold of its manifest."""
    probe = manifest[f"{name}Probe"]
    for attempt in range(probe.get("failureThreshold", 3)):
        if attempt:
            time.sleep(probe.get("periodSeconds", 10))  # the interval of the probe
        if process.poll() is not None:
            return False
        try:
            status, _ = ask(manifest, **probe["httpGet"], timeout=probe.get("timeoutSeconds", 1))
        except (OSError, http.client.HTTPException):
            continue
        if 200 <= status < 400:
            return True
    return False


def ask(manifest: Object, port: str, path: str, timeout: float = PATIENCE_SECONDS) -> tuple[int, str]:
    """Send a GET request to a named port of a container, and return status and body."""
    ports = {each["name"]: each["containerPort"] for each in manifest["ports"]}
    connection = http.client.HTTPConnection(POD, ports[port], timeout=timeout)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def proxy(services: list[Object], pod: Object) -> str:
    """Forward the Services' addresses to the pod that they select, and return an /etc/hosts with their names."""
    hosts = ["127.0.0.1 localhost"]
    ports = {port["name"]: port["containerPort"] for port in pod["spec"]["containers"][0]["ports"]}
    for service in services:
        spec = service["spec"]
        if not spec["selector"].items() <= pod["metadata"]["labels"].items():
            continue
        headless = spec.get("clusterIP") == "None"
        hosts.append(f"{POD if headless else CLUSTER} {service['metadata']['name']}")
        for port in [] if headless else spec["ports"]:
            listener = socket.create_server((CLUSTER, port["port"]))
            target = ports[port["targetPort"]]
            threading.Thread(target=lambda s=listener, t=target: asyncio.run(forward(s, t)), daemon=True).start()
    return "\n".join(hosts) + "\n"


async def forward(listener: socket.socket, port: int) -> None:
    """Forward every connection to a port of the pod, until the process ends."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            from_pod, to_pod = await asyncio.open_connection(POD, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(copy(reader, to_pod), copy(from_pod, writer), return_exceptions=True)

    async with await asyncio.start_server(serve, sock=listener) as server:
        await server.serve_forever()


def control_group(name: str, limit: int) -> Path | None:
    """Create a control group, version 1 or 2, with a memory limit in MiB. Return None if this user cannot."""
    for parent, file, highest in (("memory", "memory.limit_in_bytes", _HIGHEST[0]), ("", "memory.max", _HIGHEST[1])):
        group = Path("/sys/fs/cgroup", parent, name)
        try:
            group.mkdir()
        except OSError:
            continue
        if (group / file).exists() and (group / highest).exists():
            (group / file).write_text(str(limit * 2**20))
            return group
        group.rmdir()
    return None


_HIGHEST = ("memory.max_usage_in_bytes", "memory.peak")


def peak(group: Path) -> float:
    """Return the peak memory of a control group in MiB."""
    file = next(group / name for name in _HIGHEST if (group / name).exists())
    return int(file.read_text()) / 2**20


def mebibytes(quantity: str) -> int:
    assert quantity.endswith("Mi"), quantity
    return int(quantity.removesuffix("Mi"))


def bring_up_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        siocsifflags, up_and_running = 0x8914, 0x1 | 0x40
        fcntl.ioctl(any_socket, siocsifflags, struct.pack("16sh14x", b"lo", up_and_running))


if __name__ == "__main__":
    with TemporaryDirectory(prefix="sandbox-") as folder:
        print(json.dumps(node(json.load(sys.stdin), Path(folder))))
