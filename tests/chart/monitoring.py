"""Extracts the Prometheus queries of the alerts and of the dashboard from a rendered release."""

import json
import re
from typing import Any

from tests.chart.rendering import Object, one


def rules(objects: list[Object]) -> list[dict[str, Any]]:
    """Return the alerting rules."""
    [group] = one(objects, "PrometheusRule")["spec"]["groups"]
    return list(group["rules"])


def queries(objects: list[Object]) -> list[str]:
    """Return the queries of the alerts and of the dashboard, with a value for Grafana's interval variable."""
    [text] = one(objects, "ConfigMap")["data"].values()
    targets = [target for panel in json.loads(text)["panels"] for target in panel["targets"]]
    return [each["expr"].replace("$__rate_interval", "5m") for each in [*rules(objects), *targets]]


def metrics_asked(query: str) -> set[str]:
    """Return the names of the series that a query selects, such as `log_lines_dropped_total`."""
    return set(re.findall(r"\b\w+(?={)", query))
