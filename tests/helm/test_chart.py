"""What the chart promises beyond valid manifests: who may do, reach and select what."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from ..conftest import make_settings
from .rendering import FILES, SECRETS, Manifest, of_kind, pods, refusal, render, the


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    if not selector.keys() & {"matchLabels", "matchExpressions"}:
        selector = {"matchLabels": selector}
    equal = all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items())
    return equal and all(
        expression["operator"] == "In" and labels.get(expression["key"]) in expression["values"]
        for expression in selector.get("matchExpressions", [])
    )


def selected(manifests: list[Manifest], selector: dict[str, Any]) -> set[str]:
    return {name.split("/")[0] for name, pod in pods(manifests).items() if selects(selector, pod["metadata"]["labels"])}


@pytest.mark.parametrize("files", FILES)
@pytest.mark.parametrize("upgrade", [False, True], ids=["install", "upgrade"])
def test_every_pod_is_confined(files: str, upgrade: bool) -> None:
    for name, pod in pods(render(files, upgrade=upgrade)).items():
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["securityContext"]["runAsNonRoot"], name
        assert {"type": "RuntimeDefault"} == spec["securityContext"]["seccompProfile"]
        assert spec["securityContext"]["runAsUser"] == (999 if name.startswith("StatefulSet") else 10001)
        for container in spec["containers"]:
            assert {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            } == container["securityContext"]
            assert "memory" in container["resources"]["limits"]
            assert not container["image"].endswith(":latest")
            assert ":" in container["image"]


def test_an_upgrade_takes_no_pod_away_before_another_is_ready_and_lets_requests_end() -> None:
    deployment = the(render(), "Deployment")["spec"]
    pod = deployment["template"]["spec"]
    (container,) = pod["containers"]

    assert (2, {"maxSurge": 1, "maxUnavailable": 0}) == (
        deployment["replicas"],
        deployment["strategy"]["rollingUpdate"],
    )
    # What serving.py gives to requests in flight, after nobody sends new ones any more.
    assert pod["terminationGracePeriodSeconds"] > 5 + 20
    assert ["sleep", "5"] == container["lifecycle"]["preStop"]["exec"]["command"]
    probes = {name: container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")}
    assert {"startup": "/health/live", "liveness": "/health/live", "readiness": "/health/ready"} == probes


@pytest.mark.parametrize("files", FILES)
def test_a_service_picks_the_pods_it_is_for_and_no_others(files: str) -> None:
    manifests = render(files)
    services = {service["metadata"]["name"]: service["spec"]["selector"] for service in of_kind(manifests, "Service")}

    for name, selector in services.items():
        expected = {"StatefulSet"} if name.endswith("-postgresql") else {"Deployment"}
        assert expected == selected(manifests, selector)
    for kind in ("Deployment", "StatefulSet"):
        for owner in of_kind(manifests, kind):
            assert {kind} == selected(manifests, owner["spec"]["selector"])


@pytest.mark.parametrize("release", ["agent", "session-api"])
def test_no_other_chart_s_service_picks_its_pods(release: str) -> None:
    manifests = [*render("development", release), *render("development", release, upgrade=True)]
    others = [
        {"app.kubernetes.io/instance": release},
        {"app.kubernetes.io/name": "agent", "app.kubernetes.io/instance": release},
        {"app.kubernetes.io/name": "session-api", "app.kubernetes.io/instance": release},
        {"app": release},
        {"app": "session-api"},
        {"release": release},
        {"app.kubernetes.io/component": "database"},
        {"session-api/release": "another", "session-api/component": "api"},
    ]

    assert [set()] * len(others) == [selected(manifests, selector) for selector in others]


def test_two_releases_in_one_namespace_do_not_pick_each_other_s_pods() -> None:
    first, second = render("development", "one"), render("development", "two")

    for service in of_kind(first, "Service"):
        assert set() == selected(second, service["spec"]["selector"])


def test_the_migration_runs_before_the_upgrade_and_with_what_the_upgrade_brings() -> None:
    manifests = render(upgrade=True, secret={"databaseUrl": "postgresql://new@db.example.com/sessions"})
    job = the(manifests, "Job")
    hooks = [secret for secret in of_kind(manifests, "Secret") if "annotations" in secret["metadata"]]
    annotations = job["metadata"]["annotations"]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    needed = {it["valueFrom"]["secretKeyRef"]["name"] for it in container["env"] if "valueFrom" in it}

    assert ["flask", "db", "upgrade"] == container["command"]
    assert "pre-install,pre-upgrade" == annotations["helm.sh/hook"]
    # Neither the Secret nor the account of the release is there, or up to date, when the hook runs.
    assert {hooks[0]["metadata"]["name"]} == needed
    assert int(hooks[0]["metadata"]["annotations"]["helm.sh/hook-weight"]) < int(annotations["helm.sh/hook-weight"])
    assert "postgresql://new@db.example.com/sessions" == hooks[0]["stringData"]["DATABASE_URL"]
    assert "default" == job["spec"]["template"]["spec"]["serviceAccountName"]
    assert "before-hook-creation" in annotations["helm.sh/hook-delete-policy"]
    assert job["spec"]["activeDeadlineSeconds"] > 0


def test_the_first_migration_waits_for_no_hook_where_the_release_brings_the_database() -> None:
    first = the(render("development"), "Job")
    later = the(render("development", upgrade=True), "Job")

    assert "annotations" not in first["metadata"]
    assert "helm.sh/hook" in later["metadata"]["annotations"]
    # Helm removes the first one at the upgrade, and must not remove the hook's with it.
    assert first["metadata"]["name"] != later["metadata"]["name"]


def peers(policy: Manifest, direction: str) -> list[dict[str, Any]]:
    end = {"ingress": "from", "egress": "to"}[direction]
    return [peer for rule in policy["spec"][direction] for peer in rule.get(end, [])]


def test_the_network_lets_the_ingress_controller_prometheus_and_the_test_in() -> None:
    manifests = render("production", networkPolicy={"clients": []})
    policy = the(manifests, "NetworkPolicy")
    namespaces = [
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for peer in peers(policy, "ingress")
        if "namespaceSelector" in peer
    ]
    inside = [peer["podSelector"] for peer in peers(policy, "ingress") if "podSelector" in peer]

    assert {"Deployment", "Job"} == selected(manifests, policy["spec"]["podSelector"])
    assert ["ingress-nginx", "monitoring"] == namespaces
    assert [{"Pod"}] == [selected(manifests, selector) for selector in inside]
    assert [{"protocol": "TCP", "port": "http"}] == policy["spec"]["ingress"][0]["ports"]


def test_the_network_lets_the_service_reach_its_database_and_names_only() -> None:
    manifests = render("development", upgrade=True)
    policies = {policy["metadata"]["name"]: policy for policy in of_kind(manifests, "NetworkPolicy")}
    service, database = policies["sessions-session-api"], policies["sessions-session-api-postgresql"]
    (to,) = peers(service, "egress")
    (by,) = peers(database, "ingress")

    assert (
        {"StatefulSet"}
        == selected(manifests, to["podSelector"])
        == selected(manifests, database["spec"]["podSelector"])
    )
    assert {"Deployment", "Job"} == selected(manifests, by["podSelector"])
    assert {53, 5432} == {port["port"] for rule in service["spec"]["egress"] for port in rule["ports"]}
    assert "egress" not in database["spec"]
    assert ["Ingress", "Egress"] == database["spec"]["policyTypes"]


def test_the_network_lets_the_service_reach_what_else_it_is_told_to() -> None:
    collector = {"ports": [{"protocol": "TCP", "port": 4318}], "to": [{"ipBlock": {"cidr": "10.2.0.0/16"}}]}
    for files in ("development", "production"):
        without, allowed = (
            of_kind(render(files, networkPolicy=given), "NetworkPolicy") for given in ({}, {"egress": [collector]})
        )

        assert [*without[0]["spec"]["egress"], collector] == allowed[0]["spec"]["egress"]
        assert without[1:] == allowed[1:]


def test_an_external_database_is_reached_on_its_port_and_in_its_blocks() -> None:
    (_, rule) = the(
        render(networkPolicy={"databasePort": 6432, "databaseCidrs": ["10.1.0.0/16", "fd00::/8"]}), "NetworkPolicy"
    )["spec"]["egress"]

    assert [{"protocol": "TCP", "port": 6432}] == rule["ports"]
    assert [{"ipBlock": {"cidr": "10.1.0.0/16"}}, {"ipBlock": {"cidr": "fd00::/8"}}] == rule["to"]


@pytest.mark.parametrize("upgrade", [False, True], ids=["install", "upgrade"])
@pytest.mark.parametrize("files", FILES)
def test_a_secret_stands_in_secrets_only(files: str, upgrade: bool) -> None:
    manifests = render(files, upgrade=upgrade)
    others = [manifest for manifest in manifests if manifest["kind"] != "Secret"]

    assert not [secret for secret in SECRETS.values() if secret in json.dumps(others)]
    if files in ("production", "pgbouncer"):
        assert [] == of_kind(manifests, "Secret")


def test_a_secret_of_one_s_own_is_used_by_every_pod_that_needs_one() -> None:
    for manifests in (render("development", secret={"existing": "mine"}), render("production", upgrade=True)):
        names = {
            name
            for pod in pods(manifests).values()
            for name in re.findall(r'"secretKeyRef": {"name": "([^"]+)"', json.dumps(pod["spec"]))
        }
        assert names in ({"mine"}, {"session-api"})
        assert [] == of_kind(manifests, "Secret")


def test_a_changed_secret_or_setting_replaces_the_pods() -> None:
    def template(**values: Any) -> Manifest:
        return the(render(**values), "Deployment")["spec"]["template"]

    assert template() == template()
    assert template() != template(secret={"apiKeySecret": "y" * 32})
    assert template() != template(config={"LOG_LEVEL": "ERROR"})


@pytest.mark.parametrize(
    ("files", "name", "missing"),
    [
        ("defaults", "apiKeySecret", "secret.apiKeySecret or secret.existing must be given"),
        ("defaults", "databaseUrl", "secret.databaseUrl or secret.existing must be given, or postgresql.enabled"),
        ("development", "postgresPassword", "secret.postgresPassword or secret.existing must be given"),
        ("development", "databasePassword", "secret.databasePassword or secret.existing must be given"),
    ],
)
def test_a_missing_secret_is_named(files: str, name: str, missing: str) -> None:
    assert missing in refusal(files, secret={name: ""})


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"replica": 3}, "replica"),
        ({"secret": {"apiKeySecret": "short"}}, "apiKeySecret"),
        ({"secret": {"postgresPassword": "a/b"}}, "postgresPassword"),
        ({"config": {"DATABASE_URL": "postgresql://u:p@h/d"}}, "DATABASE_URL"),
        ({"config": {"API_PORT": "9000"}}, "API_PORT"),
        ({"config": {"AUTH_MODE": "open"}}, "AUTH_MODE"),
        ({"ingress": {"enabled": True}}, "hosts"),
        ({"replicas": 0}, "replicas"),
        ({"terminationGracePeriodSeconds": 10}, "terminationGracePeriodSeconds"),
        ({"image": {"digest": "latest"}}, "digest"),
    ],
)
def test_values_that_cannot_be_meant_are_refused_by_their_name(values: dict[str, Any], named: str) -> None:
    assert named in refusal(**values)


def test_the_connections_of_all_replicas_stay_below_the_limit_of_the_database() -> None:
    settings = make_settings("postgresql://h/d")
    budget = {"config": {"API_WORKERS": 3, "DATABASE_POOL_SIZE": "10", "DATABASE_MAX_OVERFLOW": "5"}, "replicas": 5}
    needed = (5 + 1) * 3 * (10 + 5) + 10

    def connections(**values: Any) -> str:
        return the(render(**values), "Deployment")["metadata"]["annotations"]["session-api/connections"]

    assert str(needed) == connections(**budget, database={"maxConnections": needed})
    message = refusal(**budget, database={"maxConnections": needed - 1})
    assert "(5 replicas + 1 during an upgrade) x 3 workers x (10 pool + 5 overflow) + 10 reserved = 280" in message
    assert "database.maxConnections is 279" in message
    # The chart's defaults are the service's own, so that nobody counts with others than those that run.
    each = settings.api_workers * (settings.database_pool_size + settings.database_max_overflow)
    assert str((2 + 1) * each + 10) == connections()


def test_with_autoscaling_the_budget_counts_its_maximum() -> None:
    autoscaling = {"enabled": True, "maxReplicas": 9}

    assert "(9 replicas + 1 during an upgrade)" in refusal(autoscaling=autoscaling)
    manifests = render(autoscaling=autoscaling, database={"maxConnections": 300})
    assert 9 == the(manifests, "HorizontalPodAutoscaler")["spec"]["maxReplicas"]
    assert "replicas" not in the(manifests, "Deployment")["spec"]


def test_a_minimum_above_the_maximum_is_refused_and_one_that_equals_it_is_not() -> None:
    autoscaling = {"enabled": True, "minReplicas": 3, "maxReplicas": 3}
    fixed = the(render(autoscaling=autoscaling), "HorizontalPodAutoscaler")["spec"]
    refused = refusal(autoscaling={**autoscaling, "minReplicas": 4})
    asleep = render(autoscaling={**autoscaling, "enabled": False, "minReplicas": 4})

    assert (3, 3) == (fixed["minReplicas"], fixed["maxReplicas"])
    assert "autoscaling.minReplicas is 4, and autoscaling.maxReplicas is 3" in refused
    assert [] == of_kind(asleep, "HorizontalPodAutoscaler")


def test_the_bundled_database_allows_what_the_budget_counts_with() -> None:
    manifests = render("development", database={"maxConnections": 123})

    (container,) = the(manifests, "StatefulSet")["spec"]["template"]["spec"]["containers"]
    assert "max_connections=123" in container["args"]
    headless = [service for service in of_kind(manifests, "Service") if service["spec"].get("clusterIP") == "None"]
    assert the(manifests, "StatefulSet")["spec"]["serviceName"] == headless[0]["metadata"]["name"]
    env = the(manifests, "Deployment")["spec"]["template"]["spec"]["containers"][0]["env"]
    url = next(it["value"] for it in env if it["name"] == "DATABASE_URL")
    assert f"@{headless[0]['metadata']['name']}:5432/session_api" in url
    # Kubernetes fills in what is defined before.
    names = [it["name"] for it in env]
    assert names.index("DATABASE_PASSWORD") < names.index("DATABASE_URL")
