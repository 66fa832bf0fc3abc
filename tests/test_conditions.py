"""ETags, 304 and 412."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from .conftest import HELLO


@pytest.fixture
def urls(client: FlaskClient, session_url: str, agent_url: str) -> list[str]:
    """One of each resource and each list."""
    message = client.post(f"{agent_url}/messages", json=HELLO).headers["Location"]
    body = {"multi_agent_id": "graph", "state": {}}
    multi_agent = client.post(f"{session_url}/multi-agents", json=body).headers["Location"]
    singles = [session_url, agent_url, message, multi_agent]
    lists = ["/api/v1/sessions", f"{session_url}/agents", f"{agent_url}/messages", f"{session_url}/multi-agents"]
    return singles + lists


def test_every_resource_and_list_has_a_strong_etag_that_gives_304(client: FlaskClient, urls: list[str]) -> None:
    for url in urls:
        tag = client.get(url).headers["ETag"]

        for condition in (tag, f"W/{tag}", f'"other", {tag}', f'W/"other", "*", "o*r",{tag}', "*"):
            for read in (client.get, client.head):
                answer = read(url, headers={"If-None-Match": condition})
                assert (304, b"", tag) == (answer.status_code, answer.data, answer.headers["ETag"])
        assert tag.startswith('"')
        for condition in ('"other"', '"*"', "other"):
            assert 200 == client.get(url, headers={"If-None-Match": condition}).status_code


def test_answers_with_an_etag_may_be_kept_by_their_owner_and_others_not(client: FlaskClient, session_url: str) -> None:
    assert "private, no-cache" == client.get(session_url).headers["Cache-Control"]
    assert "no-store" == client.get(f"{session_url}/agents/missing").headers["Cache-Control"]


def test_a_write_answers_with_the_etag_that_a_read_then_gives(client: FlaskClient, agent_url: str) -> None:
    made = client.post(f"{agent_url}/messages", json=HELLO)
    changed = client.put(f"{agent_url}/messages/0", json={})

    assert made.headers["ETag"] != changed.headers["ETag"]
    assert changed.headers["ETag"] == client.get(f"{agent_url}/messages/0").headers["ETag"]


def test_a_row_made_again_has_another_etag(client: FlaskClient, agent_url: str) -> None:
    first = client.post(f"{agent_url}/messages", json=HELLO).headers["ETag"]
    client.delete(f"{agent_url}/messages/0")

    second = client.post(f"{agent_url}/messages", json=HELLO).headers["ETag"]

    assert first != second


@pytest.mark.parametrize("change", ["append", "put", "delete", "append behind the page"])
def test_the_etag_of_a_list_changes_with_its_rows_and_its_total(
    client: FlaskClient, agent_url: str, change: str
) -> None:
    url = f"{agent_url}/messages"
    for message_id in (0, 1):
        client.post(url, json={**HELLO, "message_id": message_id})
    page = f"{url}?limit=2" if change != "append" else url
    before = client.get(page).headers["ETag"]

    if change.startswith("append"):
        client.post(url, json={**HELLO, "message_id": 2})
    elif change == "put":
        client.put(f"{url}/1", json={"redact_message": {"role": "user", "content": []}})
    else:
        client.delete(f"{url}/1")

    after = client.get(page, headers={"If-None-Match": before})
    assert (200, True) == (after.status_code, before != after.headers["ETag"])


def test_if_match_lets_a_write_through_only_from_the_version_that_was_read(
    client: FlaskClient, urls: list[str]
) -> None:
    for url in reversed(urls[:4]):
        read = client.get(url).headers["ETag"]
        written = client.put(url, json={}, headers={"If-Match": f'"0", W/"0",{read}'})
        stale = [client.put(url, json={}, headers={"If-Match": read}), client.delete(url, headers={"If-Match": read})]

        assert [412, 412] == [answer.status_code for answer in stale]
        assert "PreconditionFailed" == stale[0].json["error"]
        assert written.json == client.get(url).json
        assert 412 == client.put(url, json={}, headers={"If-Match": f"W/{written.headers['ETag']}"}).status_code
        assert 200 == client.put(url, json={}, headers={"If-Match": "*"}).status_code
        assert 204 == client.delete(url, headers={"If-Match": client.get(url).headers["ETag"]}).status_code
        assert 404 == client.delete(url, headers={"If-Match": read}).status_code


@pytest.mark.parametrize("condition", ["", "abc", '"a', '"a" "b"', '"a",', "*, *", '"\u00e9"'])
def test_a_malformed_if_match_is_refused(client: FlaskClient, session_url: str, condition: str) -> None:
    answer = client.put(session_url, json={}, headers={"If-Match": condition})

    assert (400, ["If-Match"]) == (answer.status_code, list(answer.json["details"]))
