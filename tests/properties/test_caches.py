"""Clients that keep what they read: none of them ever sees what somebody has changed since."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strands_session_client import cache
from strands_session_client import pages as client_pages

from .readers import CLIENTS, Step, World

# Mostly conversations that grow and are read: the larger they are, the more there is of them that could be old.
verbs = st.sampled_from(
    [
        *["append"] * 5,
        *["list_messages"] * 9,
        *["redact", "redact", "create", "delete", "change_agent", "change_team"],
        *["read_message", "last_message", "list_agents", "read_agent", "read_session", "list_sessions", "read_team"],
        *["rebuild", "delete_agent", "delete_session"],
    ]
)
steps = st.builds(
    Step,
    verbs,
    st.sampled_from([0, 0, 0, 1, 1, 2, 3]),
    st.sampled_from("aaaab"),
    st.integers(0, 12),
    st.none() | st.integers(0, 7),
)
# Of a page: all that there is, one message, some.
MAX_BYTES = st.sampled_from([client_pages.MAX_BYTES, 1, 200])


@pytest.fixture
def small_cache() -> Iterator[None]:
    """The test may let the process keep less, and leaves nothing behind."""
    before = cache._store.limit
    yield
    cache._store.limit = before
    cache.clear()


@settings(max_examples=100)
@given(
    script=st.lists(steps, min_size=20, max_size=40),
    pages=st.lists(st.tuples(st.integers(1, 8), MAX_BYTES), min_size=CLIENTS, max_size=CLIENTS),
    kept_bytes=st.sampled_from([cache.DEFAULT_BYTES, cache.DEFAULT_BYTES, 8_000, 2_000]),
)
def test_property_19_cached_answers_are_never_stale(
    live_url: str, small_cache: None, script: list[Step], pages: list[tuple[int, int]], kept_bytes: int
) -> None:
    """Feature: session-backend-api, Property 19: Cached answers are never stale"""
    cache.clear()
    world = World(live_url, pages)
    cache._store.limit = kept_bytes

    for step in script:
        expected, seen = world.take(step)

        assert expected == seen, step
