"""The session backend in containers: the compose file stays on disk, so what one command started another one stops."""

import re
from contextlib import suppress
from pathlib import Path

from strands_session_client.cli import docker, env_files, ports
from strands_session_client.cli.checks import key_is_good
from strands_session_client.cli.console import Refusal, say
from strands_session_client.cli.projects import Project

SERVICE = "session-api"
_KEY = re.compile(r"\S{20,}")


def up(project: Project, *, detach: bool) -> None:
    """Start the backend, give the agent a key, and follow the logs until Ctrl-C stops it, or leave it running."""
    docker.ready()
    prepare(project)
    say("Starting PostgreSQL and the session backend (the first time, their images are fetched).")
    start(project, project.compose_file)
    url = address(project)
    env_files.keep(project.environment, {env_files.URL: url})
    ensure_key(project, project.compose_file)
    say(f"The session backend serves on {url}; the agent's .env has the address and a key.")
    if detach:
        say("`strands-session down` stops it.")
        return
    say("Ctrl-C stops it.")
    try:
        with suppress(KeyboardInterrupt):
            _run(project, "logs", "--follow", "--since", "1s")
    finally:
        _run(project, "stop")


def down(project: Project) -> bool:
    """Stop what `up` and `wrap run` started; whether there was anything. The data stays in its volume."""
    if not _services(project, "--all"):
        return False
    # The agent that `wrap run` started is in the same compose project, and in no file that is still there.
    _run(project, "down", "--remove-orphans")
    return True


def status(project: Project) -> str | None:
    """Which services run in containers; None if none does."""
    return ", ".join(sorted(_services(project))) or None


def logs(project: Project, *, follow: bool) -> bool:
    """Print the containers' logs; whether there are any."""
    if not _services(project, "--all"):
        return False
    _run(project, "logs", *(["--follow"] if follow else []))
    return True


def prepare(project: Project) -> None:
    """Make the settings that the backend needs. Raises Refusal if its port belongs to something else."""
    env_files.ensure_backend_settings(project)
    if SERVICE not in _services(project):
        ports.check_free(env_files.port(project), "API_PORT in session_backend/.env")


def start(project: Project, file: Path) -> None:
    """Start the backend as the compose file has it, and wait until it is healthy."""
    arguments = ["up", "--detach", "--build", "--wait", SERVICE]
    docker.run(*_compose(file), *arguments, directory=project.backend)


def address(project: Project) -> str:
    """The backend's URL on this machine."""
    return f"http://127.0.0.1:{env_files.port(project)}"


def ensure_key(project: Project, compose_file: Path) -> None:
    """Make a key for the agent unless the one in its `.env` is good."""
    given = env_files.read(project.environment).get(env_files.KEY)
    if given and key_is_good(address(project), given):
        return
    say("Making a key for the agent.")
    scopes = [word for scope in ("read", "write", "delete") for word in ("--scope", scope)]
    create = ["flask", "keys", "create", "--tenant", "default", "--name", project.slug, *scopes]
    answer = docker.ask(*_compose(compose_file), "exec", "-T", SERVICE, *create, directory=project.backend)
    key = answer.strip().rpartition("\n")[2]
    if not _KEY.fullmatch(key):
        raise Refusal("The session backend made no key: is its image of the same version as this command?")
    env_files.keep(project.environment, {env_files.KEY: key})


def _services(project: Project, *options: str) -> set[str]:
    """The services that have containers; only those that run unless --all is among the options."""
    if not project.backend_environment.exists() or not docker.is_ready():
        return set()
    listed = docker.ask(*_compose(project.compose_file), "ps", "--services", *options, directory=project.backend)
    return set(listed.split())


def _run(project: Project, *arguments: str) -> None:
    docker.run(*_compose(project.compose_file), *arguments, directory=project.backend)


def _compose(file: Path) -> list[str]:
    return ["compose", "--file", str(file)]
