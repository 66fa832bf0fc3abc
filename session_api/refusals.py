"""How gunicorn refuses what the service never sees, such as broken headers: in our form, and quoting nothing of it."""

from __future__ import annotations

import logging
import re
import secrets
from typing import Any

from gunicorn import util
from gunicorn.glogging import Logger

from . import problems

# gunicorn names what is wrong before it quotes it: "Invalid HTTP Header: 'Authorization\\x00: …'".
_ITS_OWN_WORDS = re.compile(r"(Invalid request from ip=\S*: )?[A-Za-z ]*")


class CarefulLogger(Logger):
    """gunicorn's logger, without what it would quote."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        # At DEBUG it writes paths, and the bytes of requests that break off.
        self.error_log.setLevel(max(logging.INFO, self.error_log.level))

    def warning(self, msg: str, *args: Any, **kwargs: Any) -> None:
        if msg.startswith("Invalid request from ip="):
            msg = _own_words(msg)
        super().warning(msg, *args, **kwargs)

    def exception(self, msg: str, *args: Any, **kwargs: Any) -> None:
        if msg.startswith("Error handling request"):
            msg, args = "Error handling request", ()
        super().exception(msg, *args, **kwargs)


def install() -> None:
    """Replace gunicorn's page, which quotes the request as well."""
    util.write_error = _write_error


def _write_error(sock: Any, status: int, reason: str, message: str) -> None:
    request_id = secrets.token_hex(8)
    body = problems.of_status(status, _own_words(message) or reason, request_id)
    head = [
        f"HTTP/1.1 {status} {reason}",
        "Connection: close",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        f"X-Request-ID: {request_id}",
    ]
    util.write_nonblock(sock, "\r\n".join([*head, "", body]).encode())


def _own_words(text: str) -> str:
    found = _ITS_OWN_WORDS.match(text)
    return found[0].strip() if found else ""
