"""The environment that a test loads settings from: these variables and no others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from session_api import config

NAMES = [name.upper() for name in config.Settings.__dataclass_fields__]
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
SECRET = "hunter2secret"
NOWHERE = f"postgresql://user:{SECRET}@127.0.0.1:1/nowhere"
OPEN = {"AUTH_MODE": "none"}
# Without these two, nothing starts in production.
REQUIRED = {"DATABASE_URL": NOWHERE, "API_KEY_SECRET": SECRET * 3}


def loaded(variables: dict[str, str], dotenv: Path = Path(os.devnull)) -> config.Settings:
    """The settings of a process that starts with these variables and this `.env`."""
    with _environment(variables):
        return config.load(dotenv)


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    for name in NAMES:
        os.environ.pop(name, None)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
