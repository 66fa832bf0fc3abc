"""Gives an existing project sessions, and loses nothing of what stands in it."""

from pathlib import Path

from strands_session_client.cli import env_files, pyproject, requirements, templates
from strands_session_client.cli.console import Refusal, say, warn
from strands_session_client.cli.projects import FILE, KINDS, PLACES, POSTGRESQL, Project

_SEAM = "agent/session_repository.py"
# What makes an agent of another make keep its sessions; a project with the seam needs another seam only.
_REPLACED = {
    "agent/__init__.py",
    "agent/agent.py",
    "agent/model.py",
    _SEAM,
    "api/__init__.py",
    "api/app.py",
    "api/models.py",
    "api/routes.py",
}
# An existing project goes its own way in these.
_NOT_ADDED = {".dockerignore", "README.md", "pyproject.toml"}
_NAMES = {"agent/prompts.py": "SYSTEM_PROMPT", "agent/tools.py": "register_tools"}


def add(project: Project, kind: str = POSTGRESQL, *, keep_originals: bool = True) -> None:
    """Let the project keep its sessions there. What has to give way is kept as `NAME.orig`.

    Raises:
        Refusal: If it does so already, or if something can't be kept; nothing is changed then.
    """
    if project.kind == POSTGRESQL or ((project.directory / _SEAM).exists() and kind == FILE):
        raise Refusal(f"{project.name} keeps its sessions in {PLACES[project.kind]} already.")
    description = pyproject.said(project.directory, "description") or "A Strands agent"
    added, replaced = _changes(project, description, kind)
    changed = requirements.added_to_pyproject(project, kind)
    if keep_originals:
        _save(project, replaced)
    templates.write({**added, **replaced}, project.directory)
    requirements.write(project, kind, changed)
    if kind == POSTGRESQL:
        env_files.ensure_backend_settings(project)
    for path, name in _NAMES.items():
        if name not in (_read(project.directory / path) or ""):
            warn(f"agent/agent.py takes {name} from {path}, which has no such name: add it there.")


def _changes(project: Project, description: str, kind: str) -> tuple[templates.Files, templates.Files]:
    """What is added or only moves on, and what takes the place of something else."""
    own = [templates.render(project, description, made, "project", made) for made in KINDS]
    to_replace = {_SEAM} if (project.directory / _SEAM).exists() else _REPLACED
    added: templates.Files = {}
    replaced: templates.Files = {}
    for path, content in templates.render(project, description, kind, "project", kind).items():
        stands = _read(project.directory / path)
        if stands is None:
            if path not in _NOT_ADDED:
                added[path] = content
        elif any(files.get(path) == stands for files in own):
            added[path] = content
        elif path in to_replace or path.startswith("session_backend/"):
            replaced[path] = content
    return added, replaced


def _save(project: Project, replaced: templates.Files) -> None:
    saved = {path: project.directory / f"{path}.orig" for path in replaced}
    for there in saved.values():
        if there.exists():
            raise Refusal(f"{there} is in the way: move it, then try again.")
    for path, there in saved.items():
        (project.directory / path).rename(there)
        say(f"{path} was replaced; what stood there is in {path}.orig.")


def _read(path: Path) -> str | None:
    """What stands in the file; None when there is none."""
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as failure:
        raise Refusal(f"{path} can't be read: {failure}") from failure
