"""Makes a new project: all of it, or nothing."""

import os
import tempfile
from pathlib import Path

from strands_session_client.cli import env_files, templates
from strands_session_client.cli.console import Refusal
from strands_session_client.cli.projects import POSTGRESQL, Project


def create(name: str, kind: str, description: str, parent: Path) -> Project:
    """The project in a new directory of its name. Raises Refusal, and leaves nothing behind, if that can't be."""
    project = Project(parent.absolute() / name, name)
    check_place(project.directory)
    try:
        # Beside its place, so that one rename puts it there whole.
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=parent) as staging:
            whole = Project(Path(staging) / name, name)
            templates.write(templates.render(project, description, kind, "project", kind), whole.directory)
            if kind == POSTGRESQL:
                env_files.ensure_backend_settings(whole)
            check_place(project.directory)
            whole.directory.rename(project.directory)
    except OSError as failure:
        raise Refusal(f"{project.directory} can't be made: {failure.strerror}.") from failure
    return project


def check_place(directory: Path) -> None:
    """Raises Refusal unless a new directory can be made there."""
    if os.path.lexists(directory):
        raise Refusal(f"{directory} exists already, and is left as it is: take another name, or another directory.")
    if not directory.parent.is_dir():
        raise Refusal(f"There is no directory {directory.parent}.")
    if not os.access(directory.parent, os.W_OK):
        raise Refusal(f"You may not write to {directory.parent}.")
