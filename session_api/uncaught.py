"""Brings what nobody logs into the form of log lines: uncaught exceptions, warnings, prints, a refusal to start."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import threading
from datetime import datetime, timezone
from types import TracebackType
from typing import NoReturn

import structlog
from gevent.hub import Hub

from .errors import ConfigError
from .logs import cause

log = structlog.get_logger("session_api")


def install() -> None:
    """Log uncaught exceptions and warnings of the process: as Python prints them, they quote anything."""
    logging.captureWarnings(True)
    sys.excepthook = _process_failed
    threading.excepthook = _thread_failed
    sys.unraisablehook = _cleaning_up_failed
    Hub.print_exception = _greenlet_failed


def install_prints() -> None:
    """Log what is printed to standard error, a line each: for a process that nobody watches."""
    if not isinstance(sys.stderr, _Prints):
        sys.stderr = _Prints()


def end_for(error: ConfigError) -> NoReturn:
    """End the process with one message that says all that is wrong: a line of the log, or text for people."""
    stderr = sys.__stderr__ or sys.stderr
    if stderr.isatty() or os.environ.get("LOG_FORMAT", "").strip().lower() == "text":
        print(error, file=stderr)
    else:
        line = {"level": "critical", "timestamp": datetime.now(timezone.utc).isoformat(), "message": error.title}
        print(json.dumps({**line, "faults": error.details}), file=stderr)
    sys.exit(1)


def _process_failed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        log.critical("the process failed", **cause(error))


def _thread_failed(failure: threading.ExceptHookArgs) -> None:
    log.error("a thread failed", **cause(failure.exc_value or failure.exc_type()))


def _greenlet_failed(
    hub: Hub, context: object, kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
) -> None:
    log.error("a greenlet failed", **cause(error or kind()))


def _cleaning_up_failed(failure: sys.UnraisableHookArgs) -> None:
    log.error("cleaning up failed", **cause(failure.exc_value or failure.exc_type()))


class _Prints(io.TextIOBase):
    def __init__(self) -> None:
        self._begun = ""

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            if line.strip():
                log.warning("printed", text=line)
        return len(text)

    def flush(self) -> None:
        if self._begun:
            self.write("\n")

    def fileno(self) -> int:
        return (sys.__stderr__ or sys.__stdout__).fileno()  # type: ignore[union-attr]
