"""Ids are refused or sent exactly as they are."""

from urllib.parse import unquote

import pytest

from strands_session_client import SessionRepositoryError, ValidationError, ids

GOOD = [
    "user@example.com",
    "a.b:c",
    "日本",
    "...",
    ".hidden",
    "%2e%2e",
    "a b",
    "'; DROP TABLE x;--",
    "?#&=+;,",
    "<script>${jndi:x}{{7*7}}",
    "\U0001f600" * 255,
    "\uffff",
    "a\u2028b",
]
BAD = [
    "",
    ".",
    "..",
    "a/b",
    "a\\b",
    "../secret",
    "a\x00b",
    "a\x7fb",
    "a\x85b",
    "a\ud800b",
    "a\ufffdb",
    " a",
    "a ",
    "a\n",
    "\u2003a",
    "   ",
    "x" * 256,
    None,
    7,
    b"bytes",
]


@pytest.mark.parametrize("session_id", GOOD, ids=lambda value: ascii(value)[:30])
def test_a_good_id_is_one_quoted_segment_of_the_path(session_id):
    path = ids.session(session_id)

    assert ["", "api", "v1", "sessions"] == path.split("/")[:-1]
    assert session_id == unquote(path.split("/")[-1])
    assert path.isascii()


@pytest.mark.parametrize("bad_id", BAD, ids=lambda value: ascii(value)[:30])
def test_a_bad_id_is_refused_as_the_sdk_refuses_it_and_as_our_own_error(bad_id):
    with pytest.raises(ValidationError) as refused:
        ids.session(bad_id)

    assert isinstance(refused.value, ValueError)
    assert isinstance(refused.value, SessionRepositoryError)


@pytest.mark.parametrize("build", [ids.agent, ids.multi_agent])
def test_every_id_in_a_path_is_checked(build):
    with pytest.raises(ValidationError, match="agent_id"):
        build("s1", "a/b")


@pytest.mark.parametrize("message_id", [0, 1, 2**63 - 1])
def test_a_message_id_is_a_number_in_the_path(message_id):
    assert f"/api/v1/sessions/s1/agents/a1/messages/{message_id}" == ids.message("s1", "a1", message_id)


@pytest.mark.parametrize("message_id", [-1, 2**63, True, "1", 1.0, None])
def test_a_message_id_that_is_no_number_from_0_is_refused(message_id):
    with pytest.raises(ValidationError, match="message_id"):
        ids.message("s1", "a1", message_id)
