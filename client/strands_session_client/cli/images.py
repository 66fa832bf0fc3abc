"""Builds the project's images, and pushes them."""

from strands_session_client.cli import docker
from strands_session_client.cli.console import say
from strands_session_client.cli.projects import POSTGRESQL, Project


def build(project: Project, tag: str, registry: str | None, *, push: bool) -> None:
    """The agent's image and, with PostgreSQL sessions, the backend's."""
    docker.running()
    dockerfile = ["--file", "deployment/docker/Dockerfile"]
    docker.run("build", "--tag", f"{project.slug}:{tag}", *dockerfile, ".", directory=project.directory)
    say(f"Built {project.slug}:{tag}.")
    if push and registry:
        _push(project, f"{project.slug}:{tag}", registry)
    if project.kind == POSTGRESQL:
        build_backend(project, tag, registry, push=push)


def build_backend(project: Project, tag: str, registry: str | None, *, push: bool) -> None:
    """The backend's image."""
    image = f"{project.slug}-session-api:{tag}"
    docker.run("build", "--tag", image, "session_backend", directory=project.directory)
    say(f"Built {image}.")
    if push and registry:
        _push(project, image, registry)


def _push(project: Project, image: str, registry: str) -> None:
    pushed = f"{registry.rstrip('/')}/{image}"
    docker.run("tag", image, pushed, directory=project.directory)
    docker.run("push", pushed, directory=project.directory)
    say(f"Pushed {pushed}.")
