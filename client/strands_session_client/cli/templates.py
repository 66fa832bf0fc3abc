"""Turns trees of templates into files: `.jinja` is rendered, everything else is copied as it is."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from strands_session_client.cli.projects import CLIENT, POSTGRESQL, REQUIREMENTS, SERVICE_IMAGE, Project

Files = dict[str, str]

_TREES = Path(__file__).parent / "templates"


def render(project: Project, description: str, kind: str, *trees: str, **more: object) -> Files:
    """The files of these trees by their paths in the project; what a later tree has wins."""
    context = {
        "name": project.name,
        "slug": project.slug,
        "description": description,
        "kind": kind,
        "requirements": [*REQUIREMENTS, CLIENT] if kind == POSTGRESQL else REQUIREMENTS,
        "cli_requirement": CLIENT.replace("client", "client[cli]"),
        "service_image": SERVICE_IMAGE,
        **more,
    }
    return {path: _content(source, context) for tree in trees for path, source in _walk(_TREES / tree)}


def write(rendered: Mapping[str, str], directory: Path) -> None:
    """Write the files; scripts can be run."""
    for path, content in rendered.items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, "utf-8", newline="\n")
        if path.endswith(".sh"):
            target.chmod(0o755)


def _walk(tree: Path, prefix: str = "") -> Iterator[tuple[str, Path]]:
    for entry in sorted(tree.iterdir(), key=lambda entry: entry.name):
        # Packages lose files that begin with a dot.
        name = entry.name.replace("dot-", ".", 1) if entry.name.startswith("dot-") else entry.name
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{name}/")
        else:
            yield prefix + name.removesuffix(".jinja"), entry


def _content(source: Path, context: Mapping[str, object]) -> str:
    text = source.read_text("utf-8")
    return _jinja.from_string(text).render(context) if source.name.endswith(".jinja") else text


def _quoted(text: str) -> str:
    """A JSON string, which Python, TOML and YAML read as well."""
    return json.dumps(text, ensure_ascii=False)


# What comes out is Python, TOML, YAML and shell: HTML's escapes would spoil it.
_jinja = Environment(
    autoescape=False,  # noqa: S701
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_jinja.filters["quoted"] = _quoted
