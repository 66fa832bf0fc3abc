"""Runs docker, and says what to do when it can't be run."""

import shutil
import subprocess
from pathlib import Path

from strands_session_client.cli.console import Refusal

_INSTALL = "https://docs.docker.com/get-docker/"


def ready() -> None:
    """Raises Refusal unless docker is installed, has Compose and is running."""
    try:
        _find()
        if _call("compose", "version").returncode:
            raise Refusal("Docker has no Compose: see https://docs.docker.com/compose/install/.")
        running()
    except Refusal as refusal:
        way_out = "The session backend runs without Docker as well: strands-session up --local."
        raise Refusal(f"{refusal.message} {way_out}") from None


def running() -> None:
    """Raises Refusal unless docker is installed and its engine answers."""
    _find()
    engine = _call("version", "--format", "{{.Server.Version}}")
    if engine.returncode:
        raise Refusal(f"Docker is installed, but not running ({_last_line(engine.stderr)}): start it.")


def is_ready() -> bool:
    """Whether docker can be used."""
    try:
        ready()
    except Refusal:
        return False
    return True


def run(*arguments: str, directory: Path) -> None:
    """Run docker, its output on ours. Raises Refusal when it fails."""
    done = subprocess.run(["docker", *arguments], cwd=directory, check=False)  # noqa: S603, S607
    if done.returncode:
        raise Refusal(f"`docker {' '.join(arguments[:1])}` failed ({done.returncode}); what it said stands above.")


def ask(*arguments: str, directory: Path) -> str:
    """What docker answers. Raises Refusal when it fails."""
    done = _call(*arguments, directory=directory)
    if done.returncode:
        raise Refusal(f"`docker {' '.join(arguments[:1])}` failed: {_last_line(done.stderr)}")
    return done.stdout


def _find() -> None:
    if shutil.which("docker") is None:
        raise Refusal(f"Docker is not installed: see {_INSTALL}.")


def _call(*arguments: str, directory: Path | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603
        ["docker", *arguments],  # noqa: S607
        cwd=directory,
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else "it did not say why"
