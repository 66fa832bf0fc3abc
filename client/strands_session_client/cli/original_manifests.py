"""Adds the session backend to the manifests that strands-cli writes, each time that it writes them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from strands_session_client.cli import manifests, templates, values
from strands_session_client.cli.console import Refusal, say, warn
from strands_session_client.cli.projects import Project

_OURS = ("sessionApi", "sessionPostgresql")
# Ends the original's part of VALUES.md.
_HEADING = "\n## The session backend\n"


@contextmanager
def keeping_values(project: Project) -> Iterator[None]:
    """While the original writes its chart: it writes values.yaml anew, and what was changed in our part must stay."""
    chart = project.directory / manifests.CHART
    before = manifests.kept_values(chart)
    yield
    text = (chart / "values.yaml").read_text("utf-8")
    fragments = manifests.render(project, "helm/values", **_names(project))
    ours = {name: before[name] for name in _OURS if name in before}
    document = values.merged(text.rstrip("\n") + "\n" + fragments["values.yaml"], ours)
    environment = values.load(document, "values.yaml").get("env") or []
    document = values.merged(document, {"env": _with_backend(environment, project)})
    templates.write({**manifests.render(project, "helm/session"), "values.yaml": document}, chart)
    described = (chart / "VALUES.md").read_text("utf-8") if (chart / "VALUES.md").is_file() else ""
    templates.write({"VALUES.md": described.partition(_HEADING)[0].rstrip("\n") + "\n" + fragments["VALUES.md"]}, chart)
    _say_once(project, "NAMESPACE")


def add_to_k8s(project: Project, place: Path, namespace: str, options: Mapping[str, Any]) -> None:
    """Add the backend's manifests, and give the agent's container its address and key."""
    repository = str(options.get("image_uri") or "")
    registry, slash, _ = repository.rpartition("/")
    images = {"registry": f"{registry}{slash}", "tag": options.get("image_tag") or "latest", "namespace": namespace}
    found = [_give_agents_their_key(manifest, project) for manifest in sorted(place.glob("*.y*ml"))]
    if not any(found):
        warn(f"No Deployment of the agent was found in {place}: set the variables of session_backend/README.md there.")
    templates.write(manifests.render(project, "k8s/session", **images), place)
    manifests.write_secret(project, place, namespace)
    _say_once(project, namespace)


def _give_agents_their_key(manifest: Path, project: Project) -> bool:
    """Let the agent's container know the backend; whether the agent is in this file."""
    documents = values.load_all(manifest.read_text("utf-8"), str(manifest))
    agents = [document for document in documents if document and _is_agent(document, project)]
    for agent in agents:
        container = agent["spec"]["template"]["spec"]["containers"][0]
        container["env"] = _with_backend(container.get("env") or [], project)
    if agents:
        manifest.write_text(values.dump_all(documents), "utf-8")
    return bool(agents)


def _is_agent(document: Mapping[str, Any], project: Project) -> bool:
    # strands-cli calls it after the directory.
    names = {project.slug, project.directory.name.lower()}
    return document.get("kind") == "Deployment" and document["metadata"]["name"] in names


def _with_backend(environment: list[Any], project: Project) -> list[Any]:
    """The variables, with those that lead to the backend; a URL that is set already stays."""
    names = _names(project)
    if not isinstance(environment, list):
        raise Refusal("The agent's env must be a list of variables.")
    ours: list[dict[str, Any]] = [
        {"name": "SESSION_BACKEND_URL", "value": f"http://{names['api_name']}:8001"},
        # Inside the cluster, where the way to the backend is trusted.
        {"name": "SESSION_BACKEND_ALLOW_INSECURE_KEY", "value": "1"},
        {
            "name": "SESSION_BACKEND_API_KEY",
            "valueFrom": {"secretKeyRef": {"name": names["key_secret"], "key": "SESSION_BACKEND_API_KEY"}},
        },
    ]
    given = {variable.get("name") for variable in environment}
    return [*environment, *(variable for variable in ours if variable["name"] not in given)]


def _names(project: Project) -> dict[str, str]:
    """Of the project and not of the release, since the original's chart takes the agent's variables as they are."""
    return {
        "api_name": f"{project.slug}-session-api",
        "db_name": f"{project.slug}-session-db",
        "key_secret": f"{project.slug}-session-key",
    }


def _say_once(project: Project, namespace: str) -> None:
    names = _names(project)
    say("The session backend was added. Once, for the key that the agent's pods wait for:")
    say(f"    session_backend/create-key.sh {namespace} {names['api_name']} {names['key_secret']}")
