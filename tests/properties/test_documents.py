"""What is stored comes back as it was: value, type, key order, and the SDK's form for bytes."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from strands.types.session import decode_bytes_values, encode_bytes_values

from . import api, strategies


@pytest.mark.parametrize("kind", strategies.KINDS)
@settings(max_examples=100)
@given(data=st.data())
def test_property_1_storage_round_trip(client: FlaskClient, kind: str, data: st.DataObject) -> None:
    """Feature: session-backend-api, Property 1: Storage round trip"""
    sent = data.draw(strategies.bodies(kind))
    if kind == "session":
        sent["session_id"] = api.unique(sent["session_id"])
    own_id = sent[f"{kind}_id"]
    collection = api.new_collection(client, kind)
    query = {"prefix": own_id} if kind == "session" else {}

    made = api.created(client, collection, sent)
    read = api.parsed(client.get(f"{collection}/{api.quote(str(own_id), safe='')}"))
    (in_list,) = api.listed(client, collection, kind, **query)

    for got in (made, read, in_list):
        assert api.exact(sent) == api.exact({field: got[field] for field in sent})


json_with_bytes = st.recursive(
    st.one_of(st.binary(max_size=40), st.none(), st.booleans(), st.integers(), strategies.any_text),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(strategies.any_text, inner, max_size=3)),
    max_leaves=6,
)


@settings(max_examples=100)
@given(picture=st.binary(max_size=200), content=json_with_bytes, state=json_with_bytes)
def test_property_6_binary_state_round_trip(client: FlaskClient, picture: bytes, content: Any, state: Any) -> None:
    """Feature: session-backend-api, Property 6: Binary state round trip"""
    block = {"image": {"format": "png", "source": {"bytes": picture}}}
    documents = {
        "message": {"role": "user", "content": [block, {"toolResult": content}]},
        "state": {"picture": picture, "any": state},
    }
    encoded = strategies.as_json_has_it(encode_bytes_values(documents))
    originals = decode_bytes_values(encoded)
    session_id = api.new_session(client)
    api.new_agent(client, session_id, "assistant", encoded["state"])
    messages = api.url(session_id, "agents", "assistant", "messages")
    multi_agent = {"multi_agent_id": "graph", "state": encoded["state"]}
    api.created(client, messages, {"message_id": 0, "message": encoded["message"]})
    api.created(client, api.url(session_id, "multi-agents"), multi_agent)

    message = api.parsed(client.get(f"{messages}/0"))["message"]
    agent_state = api.parsed(client.get(api.url(session_id, "agents", "assistant")))["state"]
    graph_state = api.parsed(client.get(api.url(session_id, "multi-agents", "graph")))["state"]

    assert api.exact(encoded["message"]) == api.exact(message)
    assert api.exact(originals["message"]) == api.exact(decode_bytes_values(message))
    assert api.exact(originals["state"]) == api.exact(decode_bytes_values(agent_state))
    assert api.exact(originals["state"]) == api.exact(decode_bytes_values(graph_state))
    assert picture == decode_bytes_values(agent_state)["picture"]
