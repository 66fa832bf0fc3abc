"""What gunicorn refuses is refused in our shape, and nothing of it is quoted."""

from __future__ import annotations

import logging

import pytest
from gunicorn.config import Config

from session_api.refusals import CarefulLogger

from .wire import request, send

REFUSED = {
    "no version": (b"GET /x\r\n\r\n", 400, "ValidationError", "Invalid Request Line."),
    "a version to come": (b"GET /x HTTP/9.9\r\nHost: a\r\n\r\n", 400, "ValidationError", "Invalid HTTP Version."),
    "a bad method": (b"G\0T / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "ValidationError", "Invalid Method."),
    "a bad name": (request("GET", "/", **{"A b": "c"}), 400, "ValidationError", "Invalid HTTP header name."),
    "a bad value": (request("GET", "/", X="a\0"), 400, "ValidationError", "Invalid HTTP Header."),
    "a long line": (request("GET", "/" + "a" * 9000), 414, "RequestURITooLong", "Request Line is too large."),
    "a long header": (
        request("GET", "/", X="a" * 20480),
        431,
        "RequestHeaderFieldsTooLarge",
        "Error parsing headers.",
    ),
}


@pytest.mark.parametrize(("data", "status", "name", "message"), REFUSED.values(), ids=REFUSED)
def test_a_request_that_is_no_http_is_refused_in_the_one_shape_of_errors(
    live_url: str, data: bytes, status: int, name: str, message: str
) -> None:
    answer = send(live_url, data, and_stop=True)

    assert (status, name, message) == (answer.status, answer.json["error"], answer.json["message"])
    assert ["error", "message", "details", "timestamp", "request_id"] == list(answer.json)
    assert answer.headers["X-Request-ID"] == answer.json["request_id"]
    assert ("no-store", "nosniff") == (answer.headers["Cache-Control"], answer.headers["X-Content-Type-Options"])
    assert ({"request": [message]} if status == 400 else None) == answer.json["details"]


@pytest.fixture
def logger(caplog: pytest.LogCaptureFixture) -> CarefulLogger:
    """As gunicorn makes it at LOG_LEVEL=DEBUG."""
    settings = Config()
    settings.set("loglevel", "debug")
    logger = CarefulLogger(settings)
    logging.getLogger("gunicorn.error").addHandler(caplog.handler)
    return logger


def test_gunicorn_s_lines_keep_its_own_words_and_drop_what_they_quote(
    logger: CarefulLogger, caplog: pytest.LogCaptureFixture
) -> None:
    logger.warning("Invalid request from ip=::1: Invalid HTTP Header: 'Authorization: canary'")
    logger.exception("Error handling request %s %s", "GET", "/canary?canary")
    logger.debug("Ignored premature client disconnection. %s", b"canary")
    logger.info("Listening at: %s", "here")

    assert ["Invalid request from ip=::1: Invalid HTTP Header", "Error handling request", "Listening at: here"] == [
        record.getMessage() for record in caplog.records if record.name == "gunicorn.error"
    ]
