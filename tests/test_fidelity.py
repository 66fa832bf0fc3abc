"""What was stored comes back equal in value, type and key order: every document of every resource, to the letter."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from . import places
from .places import PLACES, Family, Place, Write, inside

JSON = {"Content-Type": "application/json"}

# JSON texts that come back as they were sent.
NUMBERS = [
    "0",
    "-1",
    str(2**53 + 1),
    str(-(2**63) - 1),
    str(2**64),
    "123456789012345678901234567890",
    "-123456789012345678901234567890",
    "9" * 4300,
    "1.0",
    "-0.0",
    "0.0",
    "0.1",
    "5e-324",
    "2.2250738585072014e-308",
    "0.30000000000000004",
    "123456789.12345678",
]
STRINGS = [
    '""',
    '" "',
    '"\\u0000"',
    '"a\\u0000b"',
    '"\\b\\f\\n\\r\\t\\u001f"',
    '"\\"\\\\"',
    '"\\ud800"',
    '"\\udfff"',
    '"\\udc00\\ud800"',
    '"a\\ud83db"',
    '"\u007f\u0080\u009f"',
    '"\u2028\u2029"',
    '"\ufffd\ufffe\uffff"',
    '"\U0001f600\U0010ffff"',
    '"\u200b\u202e\ufeff"',
    f'"{unicodedata.normalize("NFC", "é日本ﬁ")}"',
    f'"{unicodedata.normalize("NFD", "é日本ﬁ")}"',
    '"<script>&amp;%00%s{{7*7}}${x}"',
    '"2026-01-31T12:00:00+00:00"',
    '"NaN"',
]
STRUCTURES = [
    "null",
    "true",
    "false",
    "[]",
    "{}",
    "[[],{},null,[null]]",
    '{"b":1,"a":2,"aa":3}',
    '{"10":0,"9":1,"1":2,"":3," ":4}',
    '{"a":{"z":1,"y":{"x":2,"b":3}},"A":0}',
    '{"\\u0000":1,"\\u0001":2}',
    '{"\\ud800":1,"\\udc00":2}',
    '{"\u00e9":1,"e\u0301":2}',
    '{"__proto__":1,"$ref":"#/a","constructor":null,"_internal_state":{},"created_at":""}',
    '{"__bytes_encoded__":true,"data":"not base64!"}',
    '{"true":true,"null":null,"1":1,"1.0":1.0}',
    "[1,1.0,-0.0,0,1e+22,100000000000000000000000]",
    "[0.0,-0.0,true,false,null,[],{}]",
]
# The same number or text, written in another way.
REWRITTEN = {
    "9007199254740993.0": "9007199254740992.0",
    "0e0": "0.0",
    "-0.000E-999": "-0.0",
    "4.9e-324": "5e-324",
    "1e16": "1e+16",
    "1e22": "1e+22",
    "1E5": "100000.0",
    "1.10": "1.1",
    "1e-7": "1e-07",
    "1.7976931348623157e308": "1.7976931348623157e+308",
    '"\\u00e9"': '"\u00e9"',
    '"\\ud83d\\ude00"': '"\U0001f600"',
    '"\\/"': '"/"',
}
VALUES = {**{value: value for value in NUMBERS + STRINGS + STRUCTURES}, **REWRITTEN}


@pytest.fixture(scope="module")
def family(app: Flask) -> Family:
    """One for all tests: each POST makes a row of its own, each PUT replaces a document that no other test reads."""
    return places.new_family(app.test_client())


@pytest.fixture
def young_family(client: FlaskClient) -> Family:
    """One whose lists hold nothing else."""
    return places.new_family(client)


def written(client: FlaskClient, write: Write) -> str:
    """The body of the answer to a write that must succeed."""
    answer = client.open(write.url, method=write.method, data=write.body.encode(), headers=JSON)

    assert {"POST": 201, "PUT": 200}[write.method] == answer.status_code, answer.text
    return answer.text


def exact(text: str) -> Any:
    """The value with all that Python's comparison is blind to: type and sign of numbers, order of keys."""
    return json.loads(
        text,
        parse_int=lambda literal: ("integer", literal),
        parse_float=lambda literal: ("float", float(literal).hex()),
        object_pairs_hook=lambda pairs: ("object", pairs),
    )


def raw(row: str, field: str) -> str:
    """The JSON text of a field of a row, as it stands in the answer."""
    start = row.index(f'"{field}":') + len(field) + 3
    _, end = json.JSONDecoder().raw_decode(row, start)
    return row[start:end]


def rows(listing: str) -> list[str]:
    """The JSON texts of the rows of a list, as they stand in the answer."""
    found, position, decoder = [], listing.index("[") + 1, json.JSONDecoder()
    while listing[position] != "]":
        _, end = decoder.raw_decode(listing, position)
        found.append(listing[position:end])
        position = end + (listing[end] == ",")
    return found


@pytest.mark.parametrize("value", VALUES, ids=lambda value: ascii(value)[:40])
@pytest.mark.parametrize("place", PLACES, ids=str)
def test_a_value_comes_back_to_the_letter_from_the_write_and_from_a_read(
    client: FlaskClient, family: Family, place: Place, value: str
) -> None:
    write = place.write(family, inside(value))
    answer = written(client, write)

    assert inside(VALUES[value]) == raw(answer, place.field_of_answer)
    assert exact(inside(value)) == exact(raw(answer, place.field_of_answer))
    assert answer == client.get(write.member).text


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_lists_hold_each_row_as_it_is_when_read_alone(client: FlaskClient, young_family: Family, place: Place) -> None:
    document = inside(f"[{','.join(VALUES)}]")
    write = place.write(young_family, document)
    answer = written(client, write)
    listed = rows(client.get(write.listing).text)

    assert exact(document) == exact(raw(answer, place.field_of_answer))
    assert answer == listed[-1]
    assert client.get(young_family.member(place.resource)).text == listed[0]


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_a_document_alone_in_its_field_comes_back_to_the_letter(
    client: FlaskClient, family: Family, place: Place
) -> None:
    document = '{"role":"","content":null,"z":[{}],"a":{"content":"","role":1.0}}'

    assert document == raw(written(client, place.write(family, document)), place.field_of_answer)


@pytest.mark.parametrize("place", [place for place in PLACES if place.resource != "message"], ids=str)
@pytest.mark.parametrize("document", ["{}", '{"":{}}', '{"b":1,"a":2,"aa":3}', '{"\\ud800":"\\u0000"}'])
def test_a_document_other_than_a_message_needs_no_field(
    client: FlaskClient, family: Family, place: Place, document: str
) -> None:
    assert document == raw(written(client, place.write(family, document)), place.field_of_answer)


@pytest.mark.parametrize("resource", places.DOCUMENTS)
def test_documents_of_a_row_are_not_mixed_up_and_a_put_of_one_leaves_the_others(
    client: FlaskClient, young_family: Family, resource: str
) -> None:
    fields = list(places.DOCUMENTS[resource])
    documents = {field: inside(f'{{"b":"{field}","a":1.0}}') for field in fields}
    written(client, places.write("PUT", resource, young_family, documents))
    for field in fields:
        documents[field] = inside(f'{{"b":"new {field}","a":-0.0}}')
        written(client, places.write("PUT", resource, young_family, {field: documents[field]}))
        row = client.get(young_family.member(resource)).text

        assert documents == {name: raw(row, name) for name in fields}


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_white_space_around_tokens_changes_nothing(client: FlaskClient, family: Family, place: Place) -> None:
    document = inside('{"b":[1.0,"a : b , c"],"a":{}}')
    spaced = json.dumps(json.loads(document), indent=1).replace("\n", "\r\n\t ")

    assert exact(document) == exact(raw(written(client, place.write(family, spaced)), place.field_of_answer))


KEYS = "{" + ",".join(f'"{number * 7919 % 100_003}":{number}' for number in range(100_000)) + "}"
ARRAY = "[" + ",".join(f"{number}.0" if number % 2 else str(-number) for number in range(1_000_000)) + "]"


@pytest.mark.parametrize("value", [KEYS, ARRAY], ids=["100,000 keys", "1,000,000 numbers"])
@pytest.mark.parametrize(
    "place",
    [
        Place("POST", "session", "multi_agent_state"),
        Place("PUT", "agent", "state"),
        Place("POST", "message", "message"),
        Place("PUT", "multi_agent", "state"),
    ],
    ids=str,
)
def test_a_large_document_comes_back_to_the_letter_or_is_refused_whole(
    client: FlaskClient, young_family: Family, place: Place, value: str
) -> None:
    write = place.write(young_family, inside(value))
    answer = client.open(write.url, method=write.method, data=write.body.encode(), headers=JSON)
    stored = client.get(write.member)

    assert answer.status_code in (200, 201, 400)
    if answer.status_code == 400:
        assert inside(value) not in stored.text
    else:
        assert f'"{place.field}":{inside(value)}' in stored.text
        assert stored.text in client.get(write.listing).text


@pytest.mark.parametrize("resource", places.DOCUMENTS)
def test_a_repeated_write_of_unusual_values_is_known_as_identical(
    client: FlaskClient, family: Family, resource: str
) -> None:
    document = inside('{"b":-0.0,"a":1e22,"\\ud800":"\\u0000\U0001f600","n":123456789012345678901234567890}')
    write = places.write("POST", resource, family, dict.fromkeys(places.DOCUMENTS[resource], document))
    written(client, write)
    again = client.post(write.url, data=write.body.encode(), headers=JSON)

    assert (409, True) == (again.status_code, again.json["details"]["identical"])


@pytest.mark.parametrize(
    ("stored", "sent"),
    [("1.0", "1"), ("0.0", "-0.0"), ("1", "true"), ('{"a":1,"b":2}', '{"b":2,"a":1}'), ('"\u00e9"', '"e\u0301"')],
)
@pytest.mark.parametrize("place", [place for place in PLACES if place.method == "POST"], ids=str)
def test_what_is_equal_to_python_only_is_not_identical(
    client: FlaskClient, family: Family, place: Place, stored: str, sent: str
) -> None:
    write = place.write(family, inside(stored))
    answer = written(client, write)
    other = client.post(write.url, data=write.body.replace(inside(stored), inside(sent)).encode(), headers=JSON)

    assert (409, False) == (other.status_code, other.json["details"]["identical"])
    assert answer == client.get(write.member).text
