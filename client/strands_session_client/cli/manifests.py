"""What a project needs in Kubernetes: a Helm chart, or plain manifests."""

import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from strands_session_client.cli import env_files, pyproject, templates, values
from strands_session_client.cli.console import Refusal
from strands_session_client.cli.projects import POSTGRESQL, Project

CHART, PLAIN = Path("deployment/helm"), Path("deployment/k8s")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_OURS = 'define "agent.fullname"'
_OF_ANOTHER_MAKE = (
    "`strands-session wrap generate` adds the session backend to those of strands-cli; or move them away."
)
# A name for each, where something outside the chart has to know it; otherwise they follow the release.
OF_THE_RELEASE = {"api_name": "", "db_name": "", "key_secret": ""}


def helm(project: Project) -> None:
    """Write the chart anew; what was changed in its values stays."""
    chart = project.directory / CHART
    helpers = chart / "templates" / "_helpers.tpl"
    if (chart / "Chart.yaml").exists() and not (helpers.exists() and _OURS in helpers.read_text("utf-8")):
        raise Refusal(f"{CHART} holds a chart of another make: {_OF_ANOTHER_MAKE}")
    files = render(project, "helm/agent")
    if project.kind == POSTGRESQL:
        files |= render(project, "helm/session")
        for name, text in render(project, "helm/values", **OF_THE_RELEASE).items():
            files[name] += text
    files["values.yaml"] = values.merged(files["values.yaml"], kept_values(chart))
    templates.write(files, chart)


def kept_values(chart: Path) -> dict[str, Any]:
    """The chart's values as they are now; none when there is no chart."""
    path = chart / "values.yaml"
    return values.load(path.read_text("utf-8"), str(path)) if path.is_file() else {}


def k8s(project: Project, namespace: str, registry: str | None, tag: str) -> Iterator[str]:
    """Write the manifests, and say how they are applied. Secrets are made once, and kept."""
    if not _NAMESPACE.fullmatch(namespace):
        raise Refusal(f"{namespace!r} can't be a namespace: small letters, digits and '-'.")
    place = project.directory / PLAIN
    if (place / "deployment.yaml").exists():
        raise Refusal(f"{PLAIN} holds manifests of another make: {_OF_ANOTHER_MAKE}")
    images = {"registry": f"{registry.rstrip('/')}/" if registry else "", "tag": tag, "namespace": namespace}
    templates.write(render(project, "k8s/agent", **images), place)
    if project.kind == POSTGRESQL:
        templates.write(render(project, "k8s/session", **images), place)
        write_secret(project, place, namespace)
    yield f"{PLAIN} holds the manifests: kubectl apply --filename {PLAIN}"
    if project.kind == POSTGRESQL:
        names = f"{project.slug}-session-api {project.slug}-session-key"
        yield f"Once, the key that the agent's pods wait for: session_backend/create-key.sh {namespace} {names}"


def write_secret(project: Project, place: Path, namespace: str) -> None:
    """The manifest with the backend's password and secret, unless there is one already."""
    ((name, text),) = render(
        project,
        "k8s/secret",
        namespace=namespace,
        postgres_password=secrets.token_hex(24),
        api_key_secret=secrets.token_hex(32),
    ).items()
    if not (place / name).exists():
        env_files.create(place / name, text)


def render(project: Project, tree: str, **more: object) -> templates.Files:
    """The tree's files for this project."""
    description = pyproject.said(project.directory, "description") or "A Strands agent"
    return templates.render(project, description, project.kind, tree, **more)
