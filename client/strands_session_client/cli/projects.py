"""What a project is called, and where its parts lie."""

import re
from dataclasses import dataclass
from pathlib import Path

from strands_session_client.cli import pyproject
from strands_session_client.cli.console import Refusal
from strands_session_client.version import __version__

FILE, POSTGRESQL = "file", "postgresql"
KINDS = (FILE, POSTGRESQL)
PLACES = {FILE: "files", POSTGRESQL: "PostgreSQL"}

_MAJOR, _MINOR = (int(number) for number in __version__.split(".")[:2])
# Below 1.0 a minor version may break what was there.
_NEXT = f"0.{_MINOR + 1}" if _MAJOR == 0 else f"{_MAJOR + 1}"
SERVICE_IMAGE = f"strands-session-api:{__version__}"
REQUIREMENTS = ["fastapi>=0.135,<1", "python-dotenv>=1.1,<2", "strands-agents>=1.62,<2", "uvicorn>=0.38,<1"]
CLIENT = f"strands-session-client>={__version__},<{_NEXT}"

# Becomes part of a distribution, an image, a compose project and, with more behind it, of objects in Kubernetes.
_NAME = re.compile(r"[A-Za-z]([A-Za-z0-9_-]{0,38}[A-Za-z0-9])?")


@dataclass(frozen=True)
class Project:
    """An agent's project on disk."""

    directory: Path
    name: str

    @property
    def slug(self) -> str:
        """The name as images and Kubernetes take it."""
        return slug(self.name)

    @property
    def environment(self) -> Path:
        """The agent's settings on this machine."""
        return self.directory / ".env"

    @property
    def backend(self) -> Path:
        """The directory of the session backend."""
        return self.directory / "session_backend"

    @property
    def backend_environment(self) -> Path:
        """The backend's passwords and secrets on this machine."""
        return self.backend / ".env"

    @property
    def compose_file(self) -> Path:
        """What `up` starts and `down` stops."""
        return self.backend / "compose.yaml"

    @property
    def kind(self) -> str:
        """Where the project keeps its sessions."""
        return POSTGRESQL if self.compose_file.is_file() else FILE


def slug(name: str) -> str:
    """The name as images and Kubernetes take it."""
    return re.sub(r"[-_]+", "-", name).lower()


def checked_name(name: str) -> str:
    """The name, if everything that is called after the project can bear it."""
    if not _NAME.fullmatch(name):
        raise Refusal(
            f"{name!r} can't be a project's name: letters, digits, '-' and '_', at most 40,"
            " beginning with a letter and ending with a letter or digit."
        )
    if slug(name) in _TAKEN:
        raise Refusal(f"{name!r} is the name of a package that the project needs; take another.")
    return name


def checked_description(description: str) -> str:
    """The description, if it is one line that fits into a package's metadata."""
    if not description.isprintable() or not 1 <= len(description.strip()) <= 200:
        raise Refusal("The description must be one line of 1 to 200 characters.")
    return description.strip()


def find(directory: Path) -> Project:
    """The project in this directory. Raises Refusal when there is none."""
    if not (directory / "agent").is_dir() or not (directory / "api").is_dir():
        raise Refusal(f"{directory.resolve()} is no agent's project: it has no agent/ and api/.")
    place = directory.resolve()
    return Project(place, checked_name(pyproject.said(place, "name") or place.name))


def find_with_backend(directory: Path) -> Project:
    """The project in this directory. Raises Refusal unless it has a session backend of its own."""
    project = find(directory)
    if project.kind != POSTGRESQL:
        raise Refusal(f"{project.name} keeps its sessions in files; `strands-session add` gives it PostgreSQL.")
    return project


_TAKEN = {re.split(r"[<>=]", requirement)[0] for requirement in [*REQUIREMENTS, CLIENT]}
