"""The alerts and the dashboard ask for figures that the service gives."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import promql_parser
import pytest
import yaml
from flask.testing import FlaskClient

from session_api import metrics

from ..conftest import ROOT
from .rendering import CHART, render, the

ALERTS = [
    rule for group in yaml.safe_load((CHART / "files/alerts.yaml").read_text())["groups"] for rule in group["rules"]
]
DASHBOARD = json.loads((CHART / "files/dashboard.json").read_text())
# Not the service's own: docs/operations.md says where they come from.
FOREIGN = {
    "up",
    "kube_pod_container_status_ready",
    "pg_stat_activity_count",
    "pg_settings_max_connections",
    "kubelet_volume_stats_available_bytes",
    "kubelet_volume_stats_capacity_bytes",
}


def expressions() -> Iterator[tuple[str, str]]:
    for alert in ALERTS:
        yield alert["alert"], alert["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace("$__rate_interval", "5m")


def selectors(expression: str) -> list[promql_parser.VectorSelector]:
    found: list[promql_parser.VectorSelector] = []

    def visit(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.MatrixSelector):
            found.append(node.vector_selector)
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)

    promql_parser.walk(promql_parser.parse(expression), visit)
    return found


@pytest.fixture(scope="module")
def series(app) -> dict[str, set[str]]:  # type: ignore[no-untyped-def]
    """The labels of each series that the service has, by its name."""
    client: FlaskClient = app.test_client()
    client.get("/api/v1/sessions")
    metrics.pool_wait()  # as when a request has waited
    text = client.get("/metrics").text
    found = {
        f"{name}{end}": set()
        for name in re.findall(r"^# TYPE (\w+) histogram$", text, re.MULTILINE)
        for end in ("_count", "_sum", "_bucket")
    }
    found |= {name: set() for name in re.findall(r"^# TYPE (\w+) (?:counter|gauge)$", text, re.MULTILINE)}
    for name, labels in re.findall(r"^(\w+)\{(.*)\} ", text, re.MULTILINE):
        found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    return found


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
def test_a_figure_that_is_asked_for_is_one_that_the_service_gives(
    where: str, expression: str, series: dict[str, set[str]]
) -> None:
    asked = [selector for selector in selectors(expression) if selector.name not in FOREIGN]

    for selector in asked:
        assert selector.name in series
        labels = {matcher.name for matcher in selector.matchers.matchers} - {"job"}
        assert not series[selector.name] or labels <= series[selector.name]
        assert "job" in {matcher.name for matcher in selector.matchers.matchers}


def test_every_figure_that_the_service_gives_is_explained(series: dict[str, set[str]]) -> None:
    operations = (ROOT / "docs/operations.md").read_text()
    names = {re.sub("_(bucket|count|sum)$", "", name) for name in series if not name.endswith("_created")}
    explained = set(re.findall(r"^\| `(session_api_\w+)` \|", operations, re.MULTILINE))

    assert {name for name in names if name.startswith("session_api_")} <= explained
    assert explained <= names


def test_there_are_ten_alerts_and_each_says_how_bad_and_what_it_is() -> None:
    operations = (ROOT / "docs/operations.md").read_text()
    names = [alert["alert"] for alert in ALERTS]

    assert 10 == len(set(names)) == len(names)
    for alert in ALERTS:
        assert alert["labels"]["severity"] in ("critical", "warning")
        assert alert["annotations"]["summary"]
        assert "for" in alert
        assert f"`{alert['alert']}`" in operations


def test_each_alert_is_shown_to_fire_and_to_be_silent() -> None:
    proofs = [
        proof
        for test in yaml.safe_load((ROOT / "tests/helm/alerts_test.yaml").read_text())["tests"]
        for proof in test["alert_rule_test"]
    ]

    for fires in (True, False):
        assert {alert["alert"] for alert in ALERTS} == {
            it["alertname"] for it in proofs if ("exp_alerts" in it) == fires
        }


def test_the_panels_do_not_overlap_and_each_has_a_title_and_a_reason() -> None:
    places = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]

    assert len(set(places)) == len(places)
    assert max(x for x, _ in places) < 24
    assert len(DASHBOARD["panels"]) == len({panel["id"] for panel in DASHBOARD["panels"]})
    assert all(panel["title"] and panel["description"] for panel in DASHBOARD["panels"])


def test_the_chart_hands_over_the_files_as_they_are_and_the_key_to_read_the_metrics() -> None:
    manifests = render("production")
    endpoint = the(manifests, "ServiceMonitor")["spec"]["endpoints"][0]

    assert ALERTS == the(manifests, "PrometheusRule")["spec"]["groups"][0]["rules"]
    assert DASHBOARD == json.loads(the(manifests, "ConfigMap")["data"]["session-api.json"])
    assert {"type": "Bearer", "credentials": {"name": "session-api-metrics", "key": "api-key"}} == endpoint[
        "authorization"
    ]
    assert ("http", "/metrics") == (endpoint["port"], endpoint["path"])
    # The job that the alerts look for is this label of the Service.
    assert (
        "session-api"
        == the(manifests, "Service")["metadata"]["labels"][the(manifests, "ServiceMonitor")["spec"]["jobLabel"]]
    )
