"""Settings of this machine in `.env` files, which only their owner can read."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values, set_key

from strands_session_client.cli.projects import Project

URL, KEY = "SESSION_BACKEND_URL", "SESSION_BACKEND_API_KEY"
ALLOW_INSECURE_KEY = "SESSION_BACKEND_ALLOW_INSECURE_KEY"
DEFAULT_PORT = 8001


def read(path: Path) -> dict[str, str]:
    """The settings in the file; none when there is no file."""
    return {name: value for name, value in dotenv_values(path, interpolate=False).items() if value is not None}


def keep(path: Path, settings: Mapping[str, str]) -> None:
    """Set these in the file, and leave everything else in it as it is."""
    if not path.exists():
        create(path, "")
    path.chmod(0o600)
    for name, value in settings.items():
        if read(path).get(name) != value:
            set_key(path, name, value, quote_mode="never")


def create(path: Path, content: str) -> None:
    """A file that nobody else can read, not even while it is written."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)


def backend_settings() -> str:
    """A new backend's `.env`, with a password and a secret that nobody else has."""
    return (
        "# Made by strands-session; .env.example says what these are.\n"
        f"POSTGRES_PASSWORD={secrets.token_hex(24)}\n"
        f"API_KEY_SECRET={secrets.token_hex(32)}\n"
        f"API_PORT={DEFAULT_PORT}\n"
    )


def ensure_backend_settings(project: Project) -> None:
    """Make the backend's `.env` where it is missing, as after a fresh clone."""
    if not project.backend_environment.exists():
        create(project.backend_environment, backend_settings())


def port(project: Project) -> int:
    """The port of the backend on this machine."""
    given = os.environ.get("API_PORT") or read(project.backend_environment).get("API_PORT")
    return int(given) if given and given.isdecimal() else DEFAULT_PORT
