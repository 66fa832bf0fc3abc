"""LOG_LEVEL decides which lines are written, and each of them is one JSON object."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from contextlib import redirect_stdout

import structlog
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from session_api import logs

from . import strategies
from .environment import LEVELS, REQUIRED, loaded

SOURCES = ("service", "library", "library with a cause", "request", "probe")


@settings(max_examples=100)
@given(
    level=st.sampled_from(LEVELS),
    change=st.sampled_from([str.upper, str.lower, str.title]),
    emitted=st.lists(
        st.tuples(st.sampled_from(SOURCES), st.sampled_from(LEVELS), strategies.any_text), min_size=1, max_size=8
    ),
)
def test_property_16_log_levels_filter(
    client: FlaskClient, own_logs: None, level: str, change: Callable[[str], str], emitted: list[tuple[str, str, str]]
) -> None:
    """Feature: session-backend-api, Property 16: Log levels filter"""
    chosen = loaded({"LOG_LEVEL": change(level), **REQUIRED})
    output = io.StringIO()

    with redirect_stdout(output):
        logs.configure(chosen.log_level, chosen.log_format)
        written = [_emit(client, *each) for each in emitted]

    expected = [(at, words) for at, words in written if LEVELS.index(at) >= LEVELS.index(level)]
    lines = [json.loads(line) for line in output.getvalue().split("\n")[:-1]]
    assert expected == [(line["level"].upper(), line["message"]) for line in lines]
    assert output.getvalue().isascii()


def _emit(client: FlaskClient, source: str, level: str, words: str) -> tuple[str, str]:
    """Log something, or have it logged; the level and the words of the line that it is worth."""
    if source == "service":
        getattr(structlog.get_logger("session_api"), level.lower())(words, note=words)
    elif source == "library":
        logging.getLogger("some.package").log(logging.getLevelName(level), "%s", words)
    elif source == "library with a cause":
        logging.getLogger("some.package").log(logging.getLevelName(level), "%s", words, exc_info=ValueError(words))
    elif source == "request":
        assert 200 == client.get("/openapi.json").status_code
        return "INFO", "request"
    else:
        assert 200 == client.get("/health/live").status_code
        return "DEBUG", "request"
    return level, words
