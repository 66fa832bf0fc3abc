"""The commands of strands-cli with PostgreSQL sessions: the original runs first, then what is ours is added."""

import shutil
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from strands_session_client.cli import adding, docker_shim, images, original_manifests, projects
from strands_session_client.cli.console import Refusal, say

Callback = Callable[..., Any]

_HERE = Path()


def call(arguments: tuple[str, ...]) -> None:
    """Call strands-cli, with our option. Raises Refusal when it is not installed."""
    try:
        group = import_module("strands_cli.cli").cli
    except ModuleNotFoundError as missing:
        if not (missing.name or "").startswith("strands_cli"):
            raise
        raise Refusal("strands-cli is not installed here; `strands-session` does the same without it.") from None
    extend(group)
    group.main(args=list(arguments), prog_name="strands-session wrap")


def extend(group: click.Group) -> None:
    """Add the option, and what follows from it, to a group of the shape of strands-cli's. Once is enough."""
    init = _command(group, "init")
    if any(parameter.name == "session_state" for parameter in init.params):
        return
    choice = click.Choice(projects.KINDS)
    init.params.append(click.Option(["--session-state"], type=choice, help="Where the agent keeps its sessions."))
    _around(init, _init)
    _around(_command(group, "run"), _run)
    _around(_command(group, "build"), _build)
    _around(_command(group, "generate", "helm"), _helm)
    _around(_command(group, "generate", "k8s"), _k8s)


# Each takes the original, which does its own work when it is called, and its options.


def _init(original: Callback, *, session_state: str | None = None, **options: Any) -> Any:
    if session_state is None:
        return original(**options)
    directory = Path(options.get("output_dir") or ".").absolute() / projects.checked_name(options["name"])
    if directory.exists():
        raise Refusal(f"{directory} exists already, and is left as it is: take another name.")
    original(**options)
    try:
        adding.add(projects.find(directory), session_state, keep_originals=False)
    except BaseException:
        # The original has just made it, and it is not what was asked for.
        shutil.rmtree(directory, ignore_errors=True)
        raise
    say(f"The agent keeps its sessions in {projects.PLACES[session_state]}.")
    return None


def _run(original: Callback, **options: Any) -> Any:
    if not _has_backend():
        return original(**options)
    with docker_shim.in_front(projects.find(_HERE)):
        return original(**options)


def _build(original: Callback, **options: Any) -> None:
    original(**options)
    if _has_backend():
        project = projects.find(_HERE)
        registry, push = options.get("registry"), bool(options.get("push"))
        images.build_backend(project, options.get("tag") or "latest", registry, push=push)


def _helm(original: Callback, **options: Any) -> Any:
    if not _has_backend():
        return original(**options)
    with original_manifests.keeping_values(projects.find(_HERE)):
        return original(**options)


def _k8s(original: Callback, **options: Any) -> None:
    original(**options)
    if _has_backend():
        place = Path(options.get("output_dir") or "deployment/k8s")
        original_manifests.add_to_k8s(projects.find(_HERE), place, options.get("namespace") or "default", options)


def _has_backend() -> bool:
    return (_HERE / "session_backend" / "compose.yaml").is_file()


def _around(command: click.Command, ours: Callback) -> None:
    original = command.callback
    if original is None:
        raise Refusal(f"The command {command.name} of this strands-cli does nothing.")

    @wraps(original)
    def callback(**options: Any) -> Any:
        return ours(original, **options)

    command.callback = callback


def _command(group: click.Command, *names: str) -> click.Command:
    for name in names:
        found = group.commands.get(name) if isinstance(group, click.Group) else None
        if found is None:
            raise Refusal(f"This strands-cli has no command {' '.join(names)}: it is of another make.")
        group = found
    return group
