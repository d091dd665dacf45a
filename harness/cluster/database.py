"""A PostgreSQL server for a scenario, outside of the chart, which knows only its address."""

from dataclasses import dataclass, field

from harness.cluster.bench import Bench, Object

_USER = "service"
_PASSWORD = "scenario"
CONTAINER_SECURITY = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
_FOLDERS = {"data": "/var/lib/postgresql", "run": "/var/run/postgresql", "tmp": "/tmp"}


@dataclass(frozen=True)
class Postgres:
    """A server in the scenario's namespace. The role that it is created with is a superuser.

    Attributes:
        labels: further labels, in addition to the one that its Service selects.
    """

    bench: Bench
    name: str = "postgres"
    labels: dict[str, str] = field(default_factory=dict)

    def url(self, database: str = "service", user: str = _USER, password: str = _PASSWORD) -> str:
        return f"postgresql://{user}:{password}@{self.name}:5432/{database}"

    async def start(self) -> None:
        """Start the server, and wait until it accepts connections."""
        labels = {"app": self.name}
        metadata = {"name": self.name, "labels": {**labels, **self.labels}}
        ready = {"exec": {"command": ["pg_isready", "--host=127.0.0.1", f"--username={_USER}"]}, "timeoutSeconds": 3}
        container = {
            "name": "postgres",
            "image": self.bench.options.postgres_image,
            "imagePullPolicy": "IfNotPresent",
            "args": ["postgres", "-c", "max_connections=200"],
            "env": [
                {"name": "POSTGRES_USER", "value": _USER},
                {"name": "POSTGRES_DB", "value": "service"},
                {"name": "POSTGRES_PASSWORD", "value": _PASSWORD},
                {"name": "PGDATA", "value": f"{_FOLDERS['data']}/pgdata"},
            ],
            "readinessProbe": {**ready, "periodSeconds": 1},
            "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
            "securityContext": CONTAINER_SECURITY,
            "volumeMounts": [{"name": name, "mountPath": path} for name, path in _FOLDERS.items()],
        }
        spec = {
            "automountServiceAccountToken": False,
            "securityContext": pod_security(70),
            "containers": [container],
            "volumes": [{"name": name, "emptyDir": {}} for name in _FOLDERS],
        }
        ports = [{"port": 5432}]
        await self.bench.apply(
            {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec},
            {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"selector": labels, "ports": ports}},
        )
        await self.bench.kubectl("wait", "--for=condition=Ready", f"pod/{self.name}", "--timeout=2m")

    async def query(self, sql: str, database: str = "service") -> list[str]:
        """Run a statement, and return its rows. Columns are separated by a vertical bar."""
        url = f"postgresql://{_USER}:{_PASSWORD}@127.0.0.1/{database}"
        command = ["psql", url, "--no-align", "--tuples-only", f"--command={sql}"]
        return (await self.bench.kubectl("exec", self.name, "--", *command)).splitlines()


def pod_security(user: int) -> Object:
    """Return a security context that complies with the restricted Pod Security Standard."""
    return {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": user,
        "fsGroup": user,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def secret(name: str, **content: str) -> Object:
    """Return a Secret with these keys."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": content}
