"""What a project needs, in its pyproject.toml, its image and its .gitignore."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import tomlkit

from strands_session_client.cli import pyproject
from strands_session_client.cli.console import warn
from strands_session_client.cli.projects import CLIENT, POSTGRESQL, REQUIREMENTS, Project

_IGNORED = (".env", "deployment/k8s/session-secrets.yaml", "session_backend/local/", "sessions/")


def added_to_pyproject(project: Project, kind: str) -> str | None:
    """The project's pyproject.toml with what it needs now, its comments kept; None when there is none."""
    content = pyproject.parse(project.directory)
    if "project" not in content:
        return None
    table: Any = content["project"]
    dependencies = table.setdefault("dependencies", tomlkit.array().multiline(True))
    for requirement in _missing(dependencies, kind):
        dependencies.append(requirement)
    backend = content.unwrap().get("build-system", {}).get("build-backend", "setuptools")
    if backend.startswith("setuptools"):
        _name_packages(content)
    return tomlkit.dumps(content)


def write(project: Project, kind: str, changed: str | None) -> None:
    """Write down what the project needs."""
    if changed is None:
        warn(f"There is no [project] in pyproject.toml: install {', '.join(_missing([], kind))} beside it.")
    else:
        (project.directory / "pyproject.toml").write_text(changed, "utf-8")
    image = project.directory / "deployment/docker/requirements.txt"
    if image.exists():
        _add_lines(image, _missing(image.read_text("utf-8").splitlines(), kind))
    ignored = project.directory / ".gitignore"
    _add_lines(ignored, [line for line in _IGNORED if line not in ignored.read_text("utf-8").splitlines()])


def _name_packages(content: tomlkit.TOMLDocument) -> None:
    """With more than one directory beside each other, setuptools refuses to guess which of them are packages."""
    tool: Any = content.setdefault("tool", tomlkit.table(is_super_table=True))
    setuptools = tool.setdefault("setuptools", tomlkit.table())
    if not {"packages", "py-modules"} & setuptools.keys():
        setuptools["packages"] = ["agent", "api"]


def _missing(given: Iterable[str], kind: str) -> list[str]:
    names = {_name(requirement) for requirement in given}
    needed = [*REQUIREMENTS, CLIENT] if kind == POSTGRESQL else REQUIREMENTS
    return [requirement for requirement in needed if _name(requirement) not in names]


def _name(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[^A-Za-z0-9._-]", requirement.strip())[0]).lower()


def _add_lines(path: Path, lines: Iterable[str]) -> None:
    text = path.read_text("utf-8")
    start = "" if not text or text.endswith("\n") else "\n"
    path.write_text(text + start + "".join(f"{line}\n" for line in lines), "utf-8")
