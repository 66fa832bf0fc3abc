"""What is stored as JSON comes out of it again."""

import json
from dataclasses import dataclass

import pytest

from strands_session_client import SessionRepositoryError, ValidationError, documents


@pytest.mark.parametrize(
    "value",
    [1.0, -0.0, 1e22, 5e-324, 10**29, 2**53 + 1, "\x00", "\ud800", "日本", "\u2028", None, True, {"b": 1, "a": 2}],
    ids=ascii,
)
def test_a_value_survives_encoding(value):
    content = documents.encode({"value": value})

    assert repr({"value": value}) == repr(json.loads(content))


def test_text_is_sent_as_compact_utf8():
    assert '{"a":"日本","b":[1,2]}'.encode() == documents.encode({"a": "日本", "b": [1, 2]})


def test_bytes_have_the_sdks_form_and_come_back():
    document = {"image": {"source": {"bytes": b"\x89PNG"}}, "tuple": (b"x",)}

    content = json.loads(documents.encode(document))

    assert {"__bytes_encoded__": True, "data": "iVBORw=="} == content["image"]["source"]["bytes"]
    assert {"image": {"source": {"bytes": b"\x89PNG"}}, "tuple": [b"x"]} == documents.decode(content)


def test_a_dataclass_inside_a_document_is_stored_as_the_sdk_stores_it():
    @dataclass
    class Note:
        text: str

    assert b'{"note":{"text":"hi"}}' == documents.encode({"note": Note("hi")})


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({"message": {"content": [{"text": float("nan")}]}}, r"message\.content\[0\]\.text:"),
        ({"state": {"x": float("-inf")}}, r"state\.x:"),
        ({"state": {"x": [1, {2, 3}]}}, r"state\.x\[1\]: set"),
        ({"state": {(1, 2): "x"}}, r"state:"),
    ],
)
def test_what_has_no_place_in_json_is_named_by_its_path(document, place):
    with pytest.raises(ValidationError, match=place):
        documents.encode(document)


def test_a_document_that_contains_itself_is_refused():
    document = {}
    document["itself"] = document

    with pytest.raises(ValidationError, match="Circular"):
        documents.encode(document)


def test_a_document_nested_beyond_all_measure_is_refused():
    document = {}
    for _ in range(100_000):
        document = {"deeper": document}

    with pytest.raises(ValidationError):
        documents.encode(document)


def test_stored_bytes_that_are_not_base64_are_an_error_of_ours():
    with pytest.raises(SessionRepositoryError, match="base64"):
        documents.decode({"__bytes_encoded__": True, "data": "a"})
