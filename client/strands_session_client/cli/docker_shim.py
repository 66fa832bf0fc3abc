"""Stands in front of docker while strands-cli runs, and adds the session backend to the compose file that it wrote.

strands-cli writes that file into a temporary directory and calls docker at once; nothing else comes between the two.
"""

import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from strands_session_client.cli import compose, docker, env_files, values
from strands_session_client.cli.console import Refusal
from strands_session_client.cli.projects import Project, find

_COMMAND = "from strands_session_client.cli.docker_shim import main; main()"
_NAMES = ("docker", "docker-compose")


@contextmanager
def in_front(project: Project) -> Iterator[None]:
    """While this lasts, whoever calls docker calls us first."""
    docker.ready()
    before = os.environ["PATH"]
    with tempfile.TemporaryDirectory(prefix="strands-session-") as directory:
        for name in _NAMES:
            real = shutil.which(name)
            if real is not None:
                start = [sys.executable, "-c", _COMMAND, str(project.directory), before, real]
                script = Path(directory) / name
                script.write_text(f'#!/bin/sh\nexec {shlex.join(start)} "$@"\n', "utf-8")
                script.chmod(0o700)
        os.environ["PATH"] = f"{directory}{os.pathsep}{before}"
        try:
            yield
        finally:
            os.environ["PATH"] = before


def main() -> None:
    """What the scripts call: the project, the path as it was, the real command and its arguments."""
    directory, path, real, *arguments = sys.argv[1:]
    os.environ["PATH"] = path
    file = _file_to_start([Path(real).name, *arguments])
    if file is not None:
        try:
            prepare(find(Path(directory)), file)
        except click.ClickException as refusal:
            refusal.show()
            sys.exit(refusal.exit_code)
    os.execv(real, [real, *arguments])  # noqa: S606


def prepare(project: Project, file: Path) -> None:
    """Add the backend to the file, start it, and see to it that the agent has a key."""
    compose.prepare(project)
    env_files.keep(project.environment, {env_files.URL: compose.address(project)})
    file.write_text(with_backend(file.read_text("utf-8"), project), "utf-8")
    compose.start(project, file)
    compose.ensure_key(project, file)


def with_backend(text: str, project: Project) -> str:
    """The compose file with the backend's services, and its agent on them."""
    document = values.load(text, "the compose file of strands-cli")
    services = document.get("services") or {}
    if not services:
        raise Refusal("The compose file of strands-cli has no services: this strands-cli is of another make.")
    agent = services["agent"] if "agent" in services else next(iter(services.values()))
    # Of one name, so that `strands-session down` finds all of them, and they share a network.
    document["name"] = project.slug
    document["include"] = [str(project.compose_file)]
    inside = {env_files.URL: f"http://{compose.SERVICE}:8001", env_files.ALLOW_INSECURE_KEY: "1"}
    agent["environment"] = _with_variables(agent.get("environment") or [], inside)
    agent["env_file"] = [*_listed(agent.get("env_file")), str(project.environment)]
    agent["depends_on"] = {
        **_dependencies(agent.get("depends_on") or []),
        compose.SERVICE: {"condition": "service_healthy"},
    }
    return values.dump(document)


def _with_variables(environment: Any, more: dict[str, str]) -> Any:
    if isinstance(environment, dict):
        return {**environment, **more}
    return [*environment, *(f"{name}={value}" for name, value in more.items())]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []


def _dependencies(given: Any) -> dict[str, Any]:
    return dict(given) if isinstance(given, dict) else {name: {"condition": "service_started"} for name in given}


def _file_to_start(command: list[str]) -> Path | None:
    """The compose file that the command starts; None if it starts none."""
    if "up" not in command or not {"compose", "docker-compose"} & set(command[: command.index("up")]):
        return None
    for position, argument in enumerate(command[: command.index("up")]):
        if argument in ("-f", "--file"):
            return Path(command[position + 1])
        if argument.startswith("--file="):
            return Path(argument.removeprefix("--file="))
    return None
