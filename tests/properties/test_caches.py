"""Clients that keep what they read: none of them ever sees what somebody has changed since."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strands_session_client import cache

from .readers import CLIENTS, Step, World

verbs = st.one_of(
    st.sampled_from(["append", "append", "create", "redact", "delete", "change_agent", "change_team"]),
    st.sampled_from(["delete_agent", "delete_session", "rebuild"]),
    st.sampled_from(["list_messages", "list_messages", "list_messages", "read_message", "last_message"]),
    st.sampled_from(["list_agents", "read_agent", "read_session", "list_sessions", "read_team"]),
)
steps = st.builds(
    Step, verbs, st.integers(0, CLIENTS - 1), st.sampled_from("aab"), st.integers(0, 12), st.none() | st.integers(0, 7)
)


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
    longest=st.lists(st.integers(1, 4), min_size=CLIENTS, max_size=CLIENTS),
    kept_bytes=st.sampled_from([2_000, 8_000, cache.DEFAULT_BYTES]),
)
def test_property_19_cached_answers_are_never_stale(
    live_url: str, small_cache: None, script: list[Step], longest: list[int], kept_bytes: int
) -> None:
    """Feature: session-backend-api, Property 19: Cached answers are never stale"""
    cache.clear()
    world = World(live_url, longest)
    cache._store.limit = kept_bytes

    for step in script:
        expected, seen = world.take(step)

        assert expected == seen, step
