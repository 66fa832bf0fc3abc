"""Is the backend there, its database well, the key good, and its version one that this client speaks with?"""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from strands_session_client import errors, ids, settings
from strands_session_client.cli import env_files
from strands_session_client.cli.console import Refusal
from strands_session_client.transport import Transport
from strands_session_client.version import __version__

SECONDS = 5.0


class Check(NamedTuple):
    """What was looked at, `ok`, `failed` or `skipped`, and what there is to say about it."""

    what: str
    how: str
    remark: str


def check(directory: Path) -> list[Check]:
    """The checks of the backend that the environment, or the project's `.env`, names."""
    given = {**env_files.read(directory / ".env"), **{name: value for name, value in os.environ.items() if value}}
    try:
        url = settings.service_url(given.get(env_files.URL))
        key = settings.service_key(
            given.get(env_files.KEY), url, allow_insecure=given.get(env_files.ALLOW_INSECURE_KEY) == "1"
        )
    except errors.ValidationError as error:
        raise Refusal(str(error)) from None
    return list(_checks(url, key))


def unreachable() -> str | None:
    """Why the backend that the environment names can't be reached; None if it can."""
    try:
        url = settings.service_url(None)
        _call(Transport(url, None, SECONDS), "/health/live", "status")
    except errors.SessionRepositoryError as error:
        return _reason(error)
    return None


def key_is_good(url: str, key: str) -> bool:
    """Whether the backend accepts the key. Raises Refusal if it can't be asked."""
    try:
        _call(Transport(url, settings.hidden(key), SECONDS), f"{ids.SESSIONS}?limit=0", "sessions")
    except (errors.AuthenticationError, errors.AuthorizationError):
        return False
    except errors.SessionRepositoryError as error:
        raise Refusal(f"The session backend can't be asked about the agent's key. {_reason(error)}") from None
    return True


def _checks(url: str, key: str | None) -> Iterator[Check]:
    transport = Transport(url, settings.hidden(key), SECONDS)
    try:
        alive = _call(transport, "/health/live", "status")
    except errors.SessionRepositoryError as error:
        yield Check("backend", "failed", _reason(error))
        for what in ("database", "key", "version"):
            yield Check(what, "skipped", "the backend has to answer first")
        return
    yield Check("backend", "ok", f"answers at {url}")
    yield _database(transport)
    yield _key(transport, key)
    yield _version(str(alive.get("version")))


def _database(transport: Transport) -> Check:
    try:
        _call(transport, "/health/ready", "status")
    except errors.SessionRepositoryError as error:
        return Check("database", "failed", str(error))
    return Check("database", "ok", "answers and has its schema")


def _key(transport: Transport, key: str | None) -> Check:
    """Asks for what each scope grants, in ways that change nothing."""
    missing = []
    try:
        for scope, method, path in (
            ("read", "GET", f"{ids.SESSIONS}?limit=0"),
            ("write", "POST", ids.SESSIONS),  # an empty body is refused, but after the key was looked at
            ("delete", "DELETE", ids.session(f"strands-session-check-{uuid.uuid4().hex}")),
        ):
            try:
                transport.call(method, path, {} if method == "POST" else None, expects="sessions", tries=1)
            except errors.AuthorizationError:
                missing.append(scope)
            except (errors.ValidationError, errors.NotFoundError):
                continue
    except errors.AuthenticationError:
        said = "the key is unknown to the backend, expired or revoked" if key else "there is none: set it in .env"
        return Check("key", "failed", f"{said} ({env_files.KEY})")
    except errors.SessionRepositoryError as error:
        return Check("key", "failed", str(error))
    if missing:
        return Check("key", "failed", f"the key lacks the scope {', '.join(missing)}")
    return Check("key", "ok", "may read, write and delete" if key else "none is needed here")


def _version(theirs: str) -> Check:
    ours = __version__
    fits = _compatible(theirs) == _compatible(ours)
    if fits:
        return Check("version", "ok", f"backend {theirs}, client {ours}")
    return Check("version", "failed", f"backend {theirs} and client {ours} do not fit: upgrade the older one")


def _compatible(version: str) -> list[str]:
    """The part of a version that must be the same; below 1.0 a minor version may break what was there."""
    major, minor = [*version.split("."), ""][:2]
    return [major, minor] if major == "0" else [major]


def _call(transport: Transport, path: str, expects: str) -> dict[str, Any]:
    return transport.call("GET", path, expects=expects, tries=1).body or {}


def _reason(error: errors.SessionRepositoryError) -> str:
    """The error without its request id where no server has seen the request."""
    return str(error) if error.status else str(error).partition(" (request id ")[0]
