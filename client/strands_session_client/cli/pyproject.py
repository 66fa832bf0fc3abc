"""Reads a project's pyproject.toml, comments and all."""

from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import ParseError

from strands_session_client.cli.console import Refusal


def parse(directory: Path) -> tomlkit.TOMLDocument:
    """What stands in the file; an empty document when there is none."""
    path = directory / "pyproject.toml"
    try:
        return tomlkit.parse(path.read_text("utf-8"))
    except FileNotFoundError:
        return tomlkit.document()
    except (OSError, ParseError, UnicodeDecodeError) as failure:
        raise Refusal(f"{path} can't be read: {failure}") from failure


def said(directory: Path, field: str) -> str | None:
    """A text of the file's [project], or None."""
    project: dict[str, Any] = parse(directory).unwrap().get("project", {})
    value = project.get(field)
    return value if isinstance(value, str) else None
