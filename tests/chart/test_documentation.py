"""values.yaml documents every value; every value is used by a template and listed in the README."""

import ast
import json
import re
from typing import Any

import promql_parser
import yaml

from harness.chart_values.examples import EVERYTHING, IMAGE, MODES
from harness.chart_values.places import SCHEMA, resolved
from harness.repository import REPOSITORY, SERVICE
from tests.chart.monitoring import metrics_asked, queries, rules
from tests.chart.rendering import Chart, environment_of, one
from tools.chart_readme import documented, readme

CHART = REPOSITORY / "chart"
VALUES = (CHART / "values.yaml").read_text(encoding="utf-8")
# Tables that are copied as a whole, so their keys do not appear in the templates.
OPAQUE = {
    "resources.requests",
    "resources.limits",
    "dashboard.labels",
    "migrations.resources",
    "test.resources",
    "strategy",
    "startupProbe",
    "livenessProbe",
    "readinessProbe",
}


def paths(values: dict[str, Any], prefix: str = "") -> set[str]:
    """Return the path of each value, up to two levels deep."""
    found = set()
    for key, value in values.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict) and value and path not in OPAQUE:
            found |= paths(value, f"{path}.")
        else:
            found.add(path)
    return found


def test_every_value_is_documented_and_lies_at_most_two_levels_deep() -> None:
    found = paths(yaml.safe_load(VALUES))
    assert found == documented(VALUES).keys()
    assert max(path.count(".") for path in found) == 1


def test_every_value_is_used_and_every_value_used_is_documented() -> None:
    templates = "\n".join(
        file.read_text(encoding="utf-8") for file in (CHART / "templates").rglob("*") if file.is_file()
    )
    used = set(re.findall(r"\.Values\.([A-Za-z]+(?:\.[A-Za-z]+)?)", templates))
    for block, body in re.findall(r"with \.Values\.(\w+) -?}}(.*?){{-? end", templates, re.DOTALL):
        used |= {f"{block}.{name}" for name in re.findall(r"(?:{{ |if |else}}|\s|\()\.(\w+)", body)}
    used |= {f"networkPolicy.{name}" for name in re.findall(r"\$policy\.(\w+)", templates)}
    used |= {f"config.{name}" for name in re.findall(r'"(\w+TimeoutSeconds)"', templates)}
    used |= set(re.findall(r"^[A-Z_]+: ([\w.]+)$", templates, re.MULTILINE))  # the table of settings
    used |= {"resources.requests", "resources.limits"}  # the whole table is copied into the container
    values = documented(VALUES).keys()
    assert values - used == set()
    inside = {path for path in used if path.partition(".")[0] in OPAQUE}
    assert {path for path in used - values - inside if path not in yaml.safe_load(VALUES)} == set()


def test_the_schema_knows_the_same_values() -> None:
    known, defaults = set(), yaml.safe_load(VALUES)
    for name, rule in SCHEMA["properties"].items():
        passed_on = name in OPAQUE or defaults.get(name) == {}
        inside = {} if passed_on else resolved(rule).get("properties", {})
        known |= {f"{name}.{inner}" for inner in inside} or {name}
    assert known - {"global", "enabled"} == documented(VALUES).keys()


def test_the_readme_s_table_is_current() -> None:
    text = (CHART / "README.md").read_text(encoding="utf-8")
    assert text == readme(text, VALUES), "run: python -m tools.chart_readme"


def metrics_of_the_service() -> set[str]:
    """Return the names of the service's metrics, including the series of its histogram."""
    tree = ast.parse((REPOSITORY / SERVICE / "chassis" / "telemetry" / "metrics.py").read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    made = [node.args[0] for node in calls if node.func.id in {"Counter", "Gauge", "Histogram"}]  # type: ignore[attr-defined]
    names = {str(ast.literal_eval(name)) for name in made}
    assert len(names) == 25
    return names | {f"{name}_{part}" for name in names for part in ("bucket", "count", "sum", "total")}


def test_alerts_and_dashboard_ask_for_metrics_that_exist(chart: Chart) -> None:
    objects = chart.render(IMAGE, MODES["external"], EVERYTHING)
    asking = queries(objects)
    assert len(asking) == 21
    for query in asking:
        promql_parser.parse(query)
        asked = metrics_asked(query)
        assert asked, query
        assert asked <= metrics_of_the_service()
        assert 'namespace="default",service="items-internal"' in query


def test_dashboards_of_two_namespaces_do_not_take_each_other_s_place(chart: Chart) -> None:
    def dashboard(namespace: str) -> tuple[str, str, str]:
        objects = chart.render(IMAGE, MODES["external"], {"dashboard": {"enabled": True}}, namespace=namespace)
        [(file, text)] = one(objects, "ConfigMap")["data"].items()
        shown = json.loads(text)
        return file, shown["uid"], shown["title"]

    assert all(one != other for one, other in zip(dashboard("staging"), dashboard("production"), strict=True))


def test_an_alert_says_where_it_is_and_what_to_do(chart: Chart) -> None:
    for rule in rules(chart.render(IMAGE, MODES["external"], EVERYTHING)):
        assert "items" in rule["annotations"]["summary"]
        assert rule["labels"].items() >= {"namespace": "default", "service_name": "items"}.items()
        assert len(rule["annotations"]["description"]) > 50


def test_an_alert_links_to_its_paragraph_of_the_runbook(chart: Chart) -> None:
    text = (REPOSITORY / "docs" / "operating.md").read_text(encoding="utf-8")
    told = re.findall(r"(?m)^### (\w+)$", text)
    alerts = rules(chart.render(IMAGE, MODES["external"], EVERYTHING))
    assert [rule["alert"] for rule in alerts] == told
    for rule in alerts:
        page, _, heading = rule["annotations"]["runbook_url"].partition("#")
        assert (page.endswith("/docs/operating.md"), heading) == (True, rule["alert"].lower())
    own = chart.render(
        IMAGE, MODES["external"], EVERYTHING, {"prometheusRule": {"runbookUrl": "https://wiki.example.com/a"}}
    )
    assert rules(own)[0]["annotations"]["runbook_url"] == "https://wiki.example.com/a#serviceerrors"


def test_every_variable_that_the_chart_sets_is_one_that_the_service_reads(chart: Chart) -> None:
    source = (REPOSITORY / SERVICE / "chassis" / "settings.py").read_text(encoding="utf-8")
    read = {name.upper() for name in re.findall(r"^    ([a-z_]+): ", source, re.MULTILINE)}
    by_libraries = {"WEB_CONCURRENCY", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"}
    assert set_by_chart(chart) <= read | by_libraries


def test_every_setting_of_the_service_has_a_value(chart: Chart) -> None:
    """Except for the listen addresses, and the OpenTelemetry variables that only `extraEnv` sets."""
    source = (REPOSITORY / SERVICE / "chassis" / "settings.py").read_text(encoding="utf-8")
    settings = {name.upper() for name in re.findall(r"^    ([a-z_]+): .*=", source, re.MULTILINE)} - {
        "MODEL_CONFIG",
        "CURRENCY",
    }  # an example in the docstring
    left = {name for name in settings if name.startswith("OTEL_")} | {"HOST"}
    assert settings - set_by_chart(chart) <= left


def set_by_chart(chart: Chart) -> set[str]:
    """Return the variables that the chart sets with all features enabled."""
    return environment_of(chart.render(IMAGE, MODES["external"], EVERYTHING)).keys() - {"CURRENCY"}
