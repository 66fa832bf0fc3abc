"""`generate helm|k8s`: what is rendered is valid, and no Service picks pods that are not its own."""

from __future__ import annotations

import json
import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from ruamel.yaml import YAML

from .conftest import Helm, files

# The oldest that is promised, and the newest that is known.
VERSIONS = ["1.29", kubernetes_validate.latest_version()]


def documents(text: str) -> list[dict[str, Any]]:
    return [document for document in YAML(typ="safe").load_all(text) if document]


def rendered(helm: Helm, chart: Path, release: str = "my-release", **values: Any) -> list[dict[str, Any]]:
    done = helm(release, chart, values)
    assert 0 == done.returncode, done.stderr
    return documents(done.stdout)


def plain(directory: Path) -> list[dict[str, Any]]:
    return [document for path in sorted(directory.glob("*.yaml")) for document in documents(path.read_text())]


def check(manifests: list[dict[str, Any]]) -> None:
    """Valid for each version, named so that Kubernetes takes it, and every reference leads somewhere."""
    for manifest in manifests:
        for version in VERSIONS:
            kubernetes_validate.validate(manifest, version, strict=True)
        assert re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", manifest["metadata"]["name"])
        if manifest["kind"] == "StatefulSet":  # Kubernetes puts a hash behind it in a label
            assert 52 >= len(manifest["metadata"]["name"])
    names = {(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests}
    assert len(names) == len(manifests)
    for kind, name in _references(manifests):
        assert (kind, name) in names or name.endswith("-session-key")


def _references(manifests: list[dict[str, Any]]) -> set[tuple[str, str]]:
    found = set()
    for workload in _of(manifests, "Deployment", "StatefulSet"):
        text = json.dumps(workload["spec"]["template"])
        found |= {("Secret", name) for name in re.findall(r'"secretKeyRef": {"name": "([^"]+)"', text)}
        found |= {("ConfigMap", name) for name in re.findall(r'"configMapRef": {"name": "([^"]+)"', text)}
        found |= {("Service", name) for name in re.findall(r"(?:http://|@)([a-z0-9-]+):\d+", text)}
        if "serviceName" in workload["spec"]:
            found.add(("Service", workload["spec"]["serviceName"]))
    return found


def picked(manifests: list[dict[str, Any]]) -> dict[str, list[str]]:
    """By the name of each Service and workload, the workloads whose pods it picks."""
    workloads = _of(manifests, "Deployment", "StatefulSet")
    selectors = {one["metadata"]["name"]: one["spec"]["selector"] for one in _of(manifests, "Service")}
    selectors |= {f"{one['metadata']['name']} (own)": one["spec"]["selector"]["matchLabels"] for one in workloads}
    return {
        name: [one["metadata"]["name"] for one in workloads if selector.items() <= _labels(one).items()]
        for name, selector in selectors.items()
    }


def _labels(workload: dict[str, Any]) -> dict[str, str]:
    return workload["spec"]["template"]["metadata"]["labels"]


def _of(manifests: list[dict[str, Any]], *kinds: str) -> list[dict[str, Any]]:
    return [manifest for manifest in manifests if manifest["kind"] in kinds]


def own_pods(manifests: list[dict[str, Any]]) -> bool:
    """Each Service and workload picks exactly the pods of the workload that it is called after."""
    return all(
        [name.removesuffix(" (own)").removesuffix("-pods")] == workloads
        for name, workloads in picked(manifests).items()
    )


@pytest.fixture
def chart(project: Path, cli) -> Path:
    cli.ok("generate", "helm")
    return project / "deployment/helm"


@pytest.fixture
def plain_project(here, cli, monkeypatch):
    cli.ok("init", "plain", "--session-state", "file")
    monkeypatch.chdir(here / "plain")
    return here / "plain"


ALL = {
    ("ServiceAccount", "my-release"),
    ("Deployment", "my-release"),
    ("Service", "my-release"),
    ("Secret", "my-release-session-api"),
    ("Deployment", "my-release-session-api"),
    ("Service", "my-release-session-api"),
    ("ConfigMap", "my-release-session-db"),
    ("StatefulSet", "my-release-session-db"),
    ("Service", "my-release-session-db"),
    ("Service", "my-release-session-db-pods"),
}


def test_a_chart_has_the_agent_its_backend_and_a_postgresql(chart, helm):
    manifests = rendered(helm, chart)

    check(manifests)
    assert ALL == {(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests}
    assert own_pods(manifests)


@pytest.mark.parametrize(
    "release", ["a", "x" * 53, "my.release", "007", "1.2-x", "true", "session-api", "session-db", "my-agent"]
)
def test_odd_releases_are_named_so_that_kubernetes_takes_them(chart, helm, release):
    manifests = rendered(helm, chart, release)

    check(manifests)
    assert own_pods(manifests)


@pytest.mark.parametrize(
    ("values", "gone"),
    [
        ({"sessionApi": {"url": "https://sessions.example.com"}}, r".*-session-.*"),
        ({"sessionPostgresql": {"enabled": False}, "sessionApi": {"existingSecret": "mine"}}, r".*-session-db.*"),
        ({"serviceAccount": {"create": False}}, "account"),
        ({"ingress": {"enabled": True, "host": "a.example.com", "className": "nginx"}}, "nothing"),
        ({"sessionPostgresql": {"storageClass": "fast"}, "model": "scripted"}, "nothing"),
        ({"env": [{"name": "A", "value": "1"}], "sessionApi": {"env": [{"name": "B", "value": "2"}]}}, "nothing"),
    ],
)
def test_every_switch_of_the_values_renders_what_is_valid(chart, helm, values, gone):
    manifests = rendered(helm, chart, **values)

    for manifest in manifests:
        for version in VERSIONS:
            kubernetes_validate.validate(manifest, version, strict=True)
    assert not [one for one in manifests if re.fullmatch(gone, one["metadata"]["name"])]
    assert own_pods(manifests)


def test_a_project_may_be_called_as_yaml_calls_nothing(here, cli, helm, monkeypatch):
    cli.ok("init", "null")
    monkeypatch.chdir(here / "null")
    cli.ok("generate", "helm")

    manifests = rendered(helm, here / "null/deployment/helm")
    check(manifests)
    assert "null" == YAML(typ="safe").load(here / "null/session_backend/compose.yaml")["name"]


def test_a_database_of_ones_own_needs_a_secret(chart, helm):
    refused = helm("x", chart, {"sessionPostgresql": {"enabled": False}})

    assert 0 != refused.returncode
    assert "sessionApi.existingSecret must name a secret" in refused.stderr


def test_no_secret_stands_anywhere_but_in_secrets(chart, helm):
    manifests = rendered(helm, chart)

    (secret,) = _of(manifests, "Secret")
    rest = json.dumps([manifest for manifest in manifests if manifest is not secret])
    assert {"API_KEY_SECRET", "POSTGRES_PASSWORD"} == secret["data"].keys()
    assert not [value for value in secret["data"].values() if value in rest]
    assert set() == {"password", "secret"} & set(re.findall(r'"value": "([^"]*)"', rest))


def test_two_renderings_have_different_secrets(chart, helm):
    one, two = (_of(rendered(helm, chart), "Secret")[0]["data"] for _ in range(2))

    assert not set(one.values()) & set(two.values())


def test_no_pod_runs_as_root_or_writes_to_its_image(chart, helm):
    for workload in _of(rendered(helm, chart), "Deployment", "StatefulSet"):
        pod = workload["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            security = container["securityContext"]
            assert (True, ["ALL"]) == (security["readOnlyRootFilesystem"], security["capabilities"]["drop"])
            assert container["resources"]["limits"]["memory"]


def test_go_templates_reach_the_chart_as_they_are(chart):
    from strands_session_client.cli import templates

    for tree in ("helm/agent", "helm/session"):
        for source in (templates._TREES / tree / "templates").iterdir():
            assert source.read_text() == (chart / "templates" / source.name).read_text()


def test_generating_again_keeps_what_was_changed_in_the_values(chart, cli):
    path = chart / "values.yaml"
    text = path.read_text().replace("replicaCount: 2", "replicaCount: 5  # mine").replace("env: []", "env: [{name: A}]")
    path.write_text(re.sub(r"\nsessionPostgresql:(\n .*)+", "", text) + "mine:\n  a: 1\n")

    cli.ok("generate", "helm")

    values = YAML(typ="safe").load(path)
    assert (5, [{"name": "A"}], {"a": 1}) == (values["replicaCount"], values["env"], values["mine"])
    assert "postgres:18" == values["sessionPostgresql"]["image"]
    assert "# How many pods of the agent run." in path.read_text()


def test_values_that_are_no_yaml_are_left_as_they_are(chart, cli):
    (chart / "values.yaml").write_text("a: [\n")

    result = cli("generate", "helm")

    assert 1 == result.exit_code
    assert "values.yaml is not YAML" in result.stderr
    assert "a: [\n" == (chart / "values.yaml").read_text()


def test_every_value_is_described(chart):
    described = (chart / "VALUES.md").read_text()
    values = YAML(typ="safe").load(chart / "values.yaml")

    for name, value in values.items():
        assert f"`{name}" in described
        for inner in value if name.startswith("session") else []:
            assert f"`{name}.{inner}" in described or f"`.{inner}`" in described, f"{name}.{inner}"


def test_a_chart_of_a_project_with_files_has_no_backend(plain_project, cli, helm):
    cli.ok("generate", "helm")

    manifests = rendered(helm, plain_project / "deployment/helm")
    check(manifests)
    assert ["Deployment", "Service", "ServiceAccount"] == sorted(manifest["kind"] for manifest in manifests)
    assert own_pods(manifests)


def test_a_project_that_gets_postgresql_gets_it_in_its_chart_as_well(plain_project, cli, helm):
    cli.ok("generate", "helm")
    cli.ok("add")
    cli.ok("generate", "helm")

    check(rendered(helm, plain_project / "deployment/helm"))


@pytest.mark.parametrize("name", ["my-agent", "x" * 40, "session-api", "no"])
def test_plain_manifests_are_valid(here, cli, monkeypatch, name):
    cli.ok("init", name)
    monkeypatch.chdir(here / name)

    output = cli.ok("generate", "k8s", "-n", "team-a", "-r", "registry.example.com/x/", "-t", "1.0")

    manifests = plain(here / name / "deployment/k8s")
    check(manifests)
    assert own_pods(manifests)
    assert 10 == len(manifests)
    assert {"team-a"} == {manifest["metadata"]["namespace"] for manifest in manifests}
    images = set(re.findall(r'"image": "([^"]+)"', json.dumps(manifests)))
    assert {f"registry.example.com/x/{name}{part}:1.0" for part in ("", "-session-api")} | {"postgres:18"} == images
    assert f"session_backend/create-key.sh team-a {name}-session-api {name}-session-key" in output


def test_plain_secrets_are_made_once_and_for_their_owner_alone(project, cli):
    cli.ok("generate", "k8s")
    path = project / "deployment/k8s/session-secrets.yaml"
    before = path.read_text()

    cli.ok("generate", "k8s", "-n", "other")

    assert before == path.read_text()
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert "deployment/k8s/session-secrets.yaml" in (project / ".gitignore").read_text().splitlines()
    assert not [value for value in re.findall(r'"(\w{48,})"', before) if value in "".join(_but(project, path))]


def _but(project: Path, secret: Path) -> list[str]:
    return [text for path, text in files(project).items() if project / path != secret]


def test_plain_manifests_of_a_project_with_files_are_valid(plain_project, cli):
    cli.ok("generate", "k8s")

    manifests = plain(plain_project / "deployment/k8s")
    check(manifests)
    assert own_pods(manifests)
    assert ["agent.yaml"] == [path.name for path in (plain_project / "deployment/k8s").iterdir()]


@pytest.mark.parametrize("namespace", ["", "Team", "a b", "-a", "x" * 64, "a: b"])
def test_a_namespace_that_is_none_is_refused(project, cli, namespace):
    result = cli("generate", "k8s", f"--namespace={namespace}")

    assert 1 == result.exit_code
    assert not (project / "deployment/k8s").exists()


def test_outside_a_project_nothing_is_generated(here, cli):
    for kind in ("helm", "k8s"):
        assert 1 == cli("generate", kind).exit_code
    assert {} == files(here)


KUBECTL = """\
#!/bin/bash
echo "$@" >>"$0.calls"
case "$*" in
*"get secret"*) [ -e "$0.secret" ] ;;
*exec*) echo 'The key is shown this once.'; echo sk_test_0123456789abcdefghij ;;
*"create secret"*) cat >"$0.secret" ;;
esac
"""


@pytest.fixture
def kubectl(tmp_path_factory, monkeypatch):
    """Stands in for kubectl and helm: writes down how they are called."""
    directory = tmp_path_factory.mktemp("kubectl")
    for name in ("kubectl", "helm"):
        (directory / name).write_text(KUBECTL)
        (directory / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:/usr/bin:/bin")
    return directory


def test_deploying_gives_the_agent_a_key_once(project, cli, kubectl):
    cli.ok("generate", "helm")
    for _ in range(2):
        subprocess.run([project / "scripts/deploy.sh", "team-a", "mine", "--set", "a=b"], check=True)

    helm, calls = ((kubectl / f"{name}.calls").read_text().splitlines() for name in ("helm", "kubectl"))
    assert ["upgrade --install mine deployment/helm --namespace team-a --create-namespace --set a=b"] * 2 == helm
    assert "sk_test_0123456789abcdefghij" == (kubectl / "kubectl.secret").read_text()
    assert 1 == len([call for call in calls if call.startswith("exec deployment/mine-session-api")])
    assert 1 == len([call for call in calls if call.startswith("create secret generic mine-session-key")])
    assert not [call for call in calls if "sk_test" in call]


@pytest.mark.parametrize("release", ["My", "1a", "a.b", "x" * 41])
def test_deploying_refuses_a_release_that_names_would_not_follow(project, cli, kubectl, release):
    cli.ok("generate", "helm")

    refused = subprocess.run([project / "scripts/deploy.sh", "team-a", release], capture_output=True, check=False)

    assert 1 == refused.returncode
    assert not (kubectl / "helm.calls").exists()
