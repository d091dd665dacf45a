"""promtool tests of the alerts: each fires under its fault, and no other alert fires."""

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.chart_values.examples import IMAGE, MODES
from harness.programs import find
from harness.repository import REPOSITORY
from tests.chart.monitoring import rules
from tests.chart.rendering import Chart

SAMPLES = 60  # one per 30 s, the default of serviceMonitor.interval: half an hour
MONITORED = {
    "serviceMonitor": {"enabled": True},
    "prometheusRule": {"enabled": True},
    "networkPolicy": {"internalFrom": [{"namespaceSelector": {}}]},
}
HIGHER = {"prometheusRule": {"errorRatio": 0.2, "latencySeconds": 2}}
WORKERS = {
    "gunicorn": {"available": True, "enabled": True, "workers": 4},
    "config": {"maxInFlight": 20, "databasePoolSize": 5},
    "database": {"maxConnections": 200},
}

# The lifetime of a pod as samples in promtool's notation: the first value, and the increment per sample.
THROUGHOUT = "{0}+{1}x59"
RESTARTED = "{0}+{1}x29 {0}+{1}x29"
ENDS = "{0}+{1}x29 stale"
BEGINS = "_x30 {0}+{1}x29"

Series = dict[str, str]


def pod(
    name: str = "items-1",
    *,
    namespace: str = "shop",
    service: str = "items-internal",
    life: str = THROUGHOUT,
    fast: int = 1000,
    slow: int = 0,
    failed: int | str = 0,
    ready: int | str = 1,
    active: int | str = 5,
    refused: int | str = 0,
    unconnected: int = 0,
    dropped: int | str = 0,
    streamed: int = 100,
    aborted: int | str = 0,
    left: int = 0,
) -> Series:
    """Return the series of a pod, healthy by default.

    `fast` (within 1 s), `slow` (1 to 2.5 s), `failed` (5xx), `dropped` and the streams that end are increments per
    sample: `streamed` completely, `aborted` by an error, and `left` unread by the client. So are requests for a
    connection that are `refused` because all are in use, or `unconnected` because none can be made. The other numbers
    are constant. A string is used as the series.
    """
    labels = f'namespace="{namespace}",service="{service}",pod="{name}"'
    duration = "http_server_request_duration_seconds"
    counters: dict[str, int | str] = {
        f'{duration}_count{{{labels},route="/v1/items",status="2xx"}}': fast + slow,
        f'{duration}_count{{{labels},route="/v1/items",status="5xx"}}': failed,
        f'{duration}_bucket{{{labels},route="/v1/items",status="2xx",le="1.0"}}': fast,
        f'{duration}_bucket{{{labels},route="/v1/items",status="2xx",le="2.5"}}': fast + slow,
        f'{duration}_bucket{{{labels},route="/v1/items",status="2xx",le="+Inf"}}': fast + slow,
        f"log_lines_dropped_total{{{labels}}}": dropped,
        f'http_server_stream_duration_seconds_count{{{labels},outcome="completed"}}': streamed,
        f'http_server_stream_duration_seconds_count{{{labels},outcome="aborted"}}': aborted,
        f'http_server_stream_duration_seconds_count{{{labels},outcome="client_closed"}}': left,
        f'http_server_streams_aborted_total{{{labels},reason="internal-error"}}': aborted,
        f'http_server_streams_aborted_total{{{labels},reason="slow-client"}}': left,
    }
    refusals = "db_client_connection_refusals_total"
    counters |= {
        f'{refusals}{{{labels},reason="all_in_use"}}': refused,
        f'{refusals}{{{labels},reason="cannot_connect"}}': unconnected,
    }
    gauges: dict[str, int | str] = {
        f"service_ready{{{labels}}}": ready,
        f"http_server_active_requests{{{labels}}}": active,
    }
    return {
        name: each if isinstance(each, str) else life.format(*((each, 0) if name in gauges else (0, each)))
        for name, each in (counters | gauges).items()
    }


@dataclass(frozen=True)
class Case:
    """The series of some pods, and the only alert that fires, at the end of the half hour."""

    what: str
    pods: list[Series]
    fires: str | None = None
    values: dict[str, Any] = field(default_factory=dict)


TROUBLE: dict[str, Any] = {
    "slow": 900,
    "failed": 900,
    "ready": 0,
    "active": 100,
    "refused": 90,
    "unconnected": 90,
    "dropped": 9,
    "aborted": 90,
}

CASES = [
    Case("healthy", [pod("items-1"), pod("items-2")]),
    Case("no traffic", [pod(fast=0, active=0)]),
    Case("restarts", [pod("items-1", life=RESTARTED, failed=40), pod("items-2", failed=40)]),
    Case(
        "rolling update",
        [pod("items-1", life=ENDS, dropped="12+0x29 stale"), pod("items-2", life=BEGINS), pod("items-3", ready=0)],
    ),
    Case("another service", [pod(), pod(service="orders-internal", **TROUBLE)]),
    Case("another namespace", [pod(), pod(namespace="staging", **TROUBLE)]),
    #
    Case("errors, below the ratio", [pod(fast=951, failed=49)]),
    Case("errors, above the ratio", [pod(fast=949, failed=51)], "ServiceErrors"),
    Case("errors, all of them", [pod(fast=0, failed=10)], "ServiceErrors"),
    Case("errors, of one pod and for others", [pod("items-1", failed=500), pod("items-2")], "ServiceErrors"),
    Case("errors, through a restart", [pod(failed=100, life=RESTARTED)], "ServiceErrors"),
    Case("errors, for 2 minutes", [pod(fast=0, failed="0+0x29 10+10x3 40+0x25")]),
    Case(
        "errors, one in 2 minutes, and nothing else",
        [pod(fast=0, failed=" ".join(f"{n}+0x3" for n in range(15)))],
        "ServiceErrors",
    ),
    Case("errors, below errorRatio", [pod(fast=81, failed=19)], None, HIGHER),
    Case("errors, above errorRatio", [pod(fast=79, failed=21)], "ServiceErrors", HIGHER),
    #
    Case("aborted, below the ratio", [pod(streamed=96, aborted=4)]),
    Case("aborted, above the ratio", [pod(streamed=94, aborted=6)], "ServiceStreamsAborted"),
    Case("aborted, all of one pod", [pod("items-1", streamed=0, aborted=50), pod("items-2")], "ServiceStreamsAborted"),
    Case("aborted, because clients do not read", [pod(left=100)]),
    Case("aborted, no streams", [pod(streamed=0)]),
    Case("aborted, below errorRatio", [pod(streamed=81, aborted=19)], None, HIGHER),
    #
    Case("slow, 9 in 1000", [pod(fast=991, slow=9)]),
    Case("slow, 11 in 1000", [pod(fast=989, slow=11)], "ServiceSlow"),
    Case("slow, through a restart", [pod(slow=100, life=RESTARTED)], "ServiceSlow"),
    Case("slow, below latencySeconds", [pod(slow=20)], None, HIGHER),
    Case("slow, above latencySeconds", [pod(slow=100)], "ServiceSlow", HIGHER),
    #
    Case("not ready, one of two", [pod("items-1", ready=0), pod("items-2")]),
    Case("not ready, for 2 minutes", [pod(ready="1+0x29 0+0x3 1+0x25")]),
    Case("not ready, all", [pod("items-1", ready=0), pod("items-2", ready=0)], "ServiceNotReady"),
    Case("not ready, but another service is", [pod(service="orders-internal")], "ServiceNotReady"),
    Case("not ready, since all pods ended", [pod(life=ENDS)], "ServiceNotReady"),
    Case("not ready, since none began", [], "ServiceNotReady"),
    #
    Case("saturated, at 80 %", [pod("items-1", active=80), pod("items-2", active=80)]),
    Case("saturated, one pod", [pod("items-1", active=81), pod("items-2")], "ServiceSaturated"),
    Case("saturated, for 4 minutes", [pod(active="5+0x29 100+0x7 5+0x21")]),
    Case("saturated, at 80 % of all workers", [pod(active=64)], None, WORKERS),
    Case("saturated, above it", [pod(active=65)], "ServiceSaturated", WORKERS),
    #
    Case("refused, 9 in 1000", [pod(refused=9)]),
    Case("refused, 11 in 1000", [pod(refused=11)], "ServiceWaitsForDatabase"),
    Case("refused, by one pod", [pod("items-1", refused=30), pod("items-2")], "ServiceWaitsForDatabase"),
    Case("refused, through a restart", [pod(refused=30, life=RESTARTED)], "ServiceWaitsForDatabase"),
    Case("refused, for 2 minutes", [pod(refused="0+0x29 90+90x3 360+0x25")]),
    Case("refused, because nothing can connect", [pod(unconnected=90)]),
    #
    Case("dropped, long ago", [pod(dropped="12+0x59")]),
    Case("dropped, before a restart", [pod("items-1", dropped="12+0x29 0+0x29"), pod("items-2", dropped="9+0x59")]),
    Case("dropped, now", [pod("items-1", dropped=1), pod("items-2")], "ServiceLogLinesDropped"),
]

# The expected severity and summary of each alert.
SHOWN = {
    "ServiceErrors": ("critical", "items answers too many requests with 5xx"),
    "ServiceStreamsAborted": ("critical", "items breaks off too many of its streams"),
    "ServiceSlow": ("warning", "items is slow: 1 % of its requests take longer than {latency} s"),
    "ServiceNotReady": ("critical", "No pod of items is ready"),
    "ServiceSaturated": ("warning", "A pod of items is close to its limit of requests in flight"),
    "ServiceWaitsForDatabase": (
        "warning",
        "items refuses requests, because its connections to the database are all in use",
    ),
    "ServiceLogLinesDropped": ("warning", "items loses lines of its log"),
}


@pytest.fixture(scope="module")
def chart(tools: Path) -> Chart:
    """Return the chart with Helm 4 only: both versions render the same rules."""
    return Chart(tools / "helm", REPOSITORY / "chart")


@pytest.fixture(scope="module")
def promtool() -> str:
    """Return the path of promtool, version 2.42 or newer."""
    found = find("promtool")
    if not found:
        missing = "promtool is not installed here (it is in Debian's package prometheus)"
        if "REQUIRE_PROMTOOL" in os.environ:
            pytest.fail(missing)
        pytest.skip(missing)
    return found


def alerts(chart: Chart, case: Case) -> list[dict[str, Any]]:
    """Return the alerts of a release named "items" in the namespace "shop", with the values of a case."""
    return rules(chart.render(IMAGE, MODES["external"], MONITORED, case.values, namespace="shop"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_an_alert_fires_under_its_fault_alone(chart: Chart, promtool: str, tmp_path: Path, case: Case) -> None:
    found = alerts(chart, case)
    latency = case.values.get("prometheusRule", {}).get("latencySeconds", 1)

    def firing(rule: dict[str, Any]) -> list[dict[str, Any]]:
        if rule["alert"] != case.fires:
            return []
        severity, summary = SHOWN[rule["alert"]]
        annotations = {**rule["annotations"], "summary": summary.format(latency=latency)}
        labels = {"severity": severity, "namespace": "shop", "service_name": "items"}
        return [{"exp_labels": labels, "exp_annotations": annotations}]

    checks = [
        {"alertname": rule["alert"], "eval_time": f"{minute}m", "exp_alerts": firing(rule)}
        for rule in found
        for minute in ([SAMPLES // 2 - 1] if rule["alert"] == case.fires else range(SAMPLES // 2))
    ]
    series = [{"series": name, "values": values} for each in case.pods for name, values in each.items()]
    tried = {"interval": "30s", "input_series": series, "alert_rule_test": checks}
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "items", "rules": found}]}))
    (tmp_path / "test.yaml").write_text(
        yaml.safe_dump({"rule_files": ["rules.yaml"], "evaluation_interval": "30s", "tests": [tried]})
    )
    done = subprocess.run([promtool, "test", "rules", "test.yaml"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case_in_which_it_fires(chart: Chart) -> None:
    assert {rule["alert"] for rule in alerts(chart, CASES[0])} == {case.fires for case in CASES} - {None}
