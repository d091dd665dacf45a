"""What the alerts and the dashboard of a rendered release ask Prometheus for."""

import json
import re
from typing import Any

from tests.chart.rendering import Object, one


def rules(objects: list[Object]) -> list[dict[str, Any]]:
    """The alerting rules."""
    [group] = one(objects, "PrometheusRule")["spec"]["groups"]
    return list(group["rules"])


def queries(objects: list[Object]) -> list[str]:
    """The queries of the alerts and of the dashboard, with Grafana's interval filled in."""
    [text] = one(objects, "ConfigMap")["data"].values()
    targets = [target for panel in json.loads(text)["panels"] for target in panel["targets"]]
    return [each["expr"].replace("$__rate_interval", "5m") for each in [*rules(objects), *targets]]


def metrics_asked(query: str) -> set[str]:
    """The names of the series that a query selects, such as `log_lines_dropped_total`."""
    return set(re.findall(r"\b\w+(?={)", query))
