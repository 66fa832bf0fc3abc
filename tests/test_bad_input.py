"""The table 'Bad input' row by row against gunicorn: refused in one shape with nothing stored, or kept as sent.

Every request is sent twice: without a key, which is refused whatever else it is, then with one.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from session_api import key_text, models
from session_api.db import Database
from session_api.key_table import api_keys

from . import places, wire
from .conftest import new_id, new_key
from .places import PLACES, WRITES, Family, Place, inside
from .wire import Answer, assert_error, request

LIMIT = 16 * 1024 * 1024

Refuses = Callable[..., Answer]


@pytest.fixture(scope="module")
def family(app: Flask) -> Family:
    """One for all tests that are refused, or replace documents that no other test reads."""
    return places.new_family(app.test_client())


@pytest.fixture
def young_family(client: FlaskClient) -> Family:
    """One that is the test's own."""
    return places.new_family(client)


@pytest.fixture(scope="module")
def live_url(keyed_url: str, keyed_app: Flask) -> str:
    """The service that asks for keys, with one as the user of the URL."""
    return keyed_url.replace("//", f"//{new_key(keyed_app)}@")


def send(url: str, data: bytes, *, and_stop: bool = False) -> Answer:
    """The answer to these bytes with the key of the URL, after they were refused without it."""
    assert_refused_without_a_key(wire.send(url, data, and_stop=and_stop), data)
    line, end, rest = data.partition(b" HTTP/1.1\r\n")
    key = f"Authorization: Bearer {urlsplit(url).username}\r\n".encode() if end else b""
    return wire.send(url, line + end + key + rest, and_stop=and_stop)


def assert_refused_without_a_key(answer: Answer, data: bytes) -> None:
    if "Server" not in answer.headers:  # gunicorn's own refusal
        assert 400 <= answer.status < 500
    elif data.split(b" ")[1].startswith(b"/api"):
        assert_error(answer, 401)


@pytest.fixture
def refuses(live_url: str, db: Database) -> Refuses:
    """Asserts that a request is refused with this status, by these paths, and that no row of any table changed."""

    def refuses(data: bytes, status: int, *paths: str, and_stop: bool = False) -> Answer:
        before = stored(db)
        answer = send(live_url, data, and_stop=and_stop)

        assert_error(answer, status, *paths)
        assert before == stored(db)
        return answer

    return refuses


def stored(db: Database) -> Any:
    """How many rows each table has and the sum of their versions, of which every write makes a random new one."""
    return db.run(lambda tx: tuple(tx.execute(_STORED).one()))


_STORED = select(
    *(
        select(figure).select_from(table).scalar_subquery()
        for table in models.metadata.sorted_tables
        for figure in (func.count(), *([func.sum(table.c.version)] if table is not api_keys else []))
    )
)


def accepted(live_url: str, write: places.Write) -> Any:
    """What a GET answers after the write."""
    answer = send(live_url, request(write.method, write.url, write.body))
    assert {"POST": 201, "PUT": 200}[write.method] == answer.status, answer
    return send(live_url, request("GET", write.member)).json


@pytest.fixture(params=WRITES, ids=lambda write: " ".join(write))
def write_of(request: pytest.FixtureRequest, family: Family) -> Callable[..., places.Write]:
    """Builds a POST or a PUT of each resource."""
    return lambda **fields: places.write(*request.param, family, fields)


# empty body, `{`, `{} {}`, `[1,]`, `{'a':1}`, `// x`, `[01]`, `[+1]`, `[0x10]`; top level `[]`, `"x"`, `1`, `null`

NOT_JSON = [
    "",
    " ",
    "{",
    "{} {}",
    "[1,]",
    "{'a':1}",
    "// x",
    "[01]",
    "[+1]",
    "[0x10]",
    "[.5]",
    "[1.]",
    '{"a":1,}',
    "{,}",
    "tru",
]
NOT_AN_OBJECT = ["[]", '"x"', "1", "1.5", "null", "true"]


@pytest.mark.parametrize("body", NOT_JSON + NOT_AN_OBJECT)
def test_a_body_that_is_no_json_object_is_refused(
    refuses: Refuses, write_of: Callable[..., places.Write], body: str
) -> None:
    write = write_of()
    refuses(request(write.method, write.url, body), 400, "body")


# NaN, Infinity, -Infinity, `1e400`, a 4,301-digit integer, duplicate keys, depth 101, depth 5,000, depth 100,000
# (and `1e-400`, which a double can't keep either)

FLAWS = {
    "NaN": ("NaN", "x"),
    "Infinity": ("Infinity", "x"),
    "-Infinity": ("-Infinity", "x"),
    "1e400": ("1e400", "x"),
    "-1e400": ("-1e400", "x"),
    "1e-400": ("1e-400", "x"),
    "-1.5E-999": ("-1.5E-999", "x"),
    "1.5e309 in a list": ('[0,{"y":1.5e309}]', "x.1.y"),
    "4,301 digits": ("1" * 4301, "x"),
    "duplicate keys": ('{"a":1,"b":2,"a":1}', "x.a"),
    "duplicate keys, one escaped": ('{"a":1,"\\u0061":2}', "x.a"),
}


@pytest.mark.parametrize("flaw", FLAWS)
@pytest.mark.parametrize("place", PLACES, ids=str)
def test_what_json_has_no_place_for_is_refused_by_its_path(
    refuses: Refuses, family: Family, place: Place, flaw: str
) -> None:
    value, path = FLAWS[flaw]
    write = place.write(family, inside(value))

    refuses(request(write.method, write.url, write.body), 400, f"{place.field}.{path}")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ('{"session_id":"a","session_id":"b"}', "session_id"),
        ('{"session_id":"a","unknown":NaN}', "unknown"),
        ('{"session_id":"a","unknown":{"a":[1,1e999]}}', "unknown.a.1"),
        ('{"session_id":Infinity}', "session_id"),
    ],
)
def test_flaws_outside_of_documents_are_refused_too(refuses: Refuses, body: str, path: str) -> None:
    refuses(request("POST", "/api/v1/sessions", body), 400, path)


def nested_lists(depth: int) -> str:
    """A document of this depth in which lists lie in lists."""
    return inside("[" * (depth - 1) + "]" * (depth - 1))


def nested_objects(depth: int) -> str:
    return inside('{"y":' * (depth - 1) + "1" + "}" * (depth - 1))


def nested_by_turns(depth: int) -> str:
    opening = ['{"y":' if level % 2 else "[" for level in range(depth - 1)]
    closing = ["}" if level % 2 else "]" for level in reversed(range(depth - 1))]
    return inside("".join(opening) + "1" + "".join(closing))


NESTED = {nested_lists: "x.0.0.0.", nested_objects: "x.y.y.y.", nested_by_turns: "x.0.y.0."}


@pytest.mark.parametrize("depth", [101, 102, 5_000, 100_000])
@pytest.mark.parametrize("nested", NESTED)
@pytest.mark.parametrize("place", PLACES, ids=str)
def test_documents_nested_deeper_than_100_are_refused_by_their_path(
    refuses: Refuses, family: Family, place: Place, nested: Callable[[int], str], depth: int
) -> None:
    write = place.write(family, nested(depth))

    (path,) = refuses(request(write.method, write.url, write.body), 400).json["details"]
    assert path.startswith(f"{place.field}.{NESTED[nested]}")


@pytest.mark.parametrize("nested", NESTED)
@pytest.mark.parametrize("place", PLACES, ids=str)
def test_documents_nested_100_deep_are_kept(
    live_url: str, family: Family, place: Place, nested: Callable[[int], str]
) -> None:
    document = nested(100)
    kept = accepted(live_url, place.write(family, document))

    assert json.loads(document) == kept[place.field_of_answer]


@pytest.mark.parametrize(
    "body", ["[" * 100_000, '{"a":' * 100_000, '{"session_id":' + "[" * 100_000, "[" * 5_000 + "1"]
)
def test_brackets_that_never_close_are_refused(refuses: Refuses, body: str) -> None:
    refuses(request("POST", "/api/v1/sessions", body), 400)


# 30-digit integer, 2^53+1, 2^64, `-0.0`, `1.0`, `1e16`, `1e22`, `5e-324`, keys b, a, aa
# `\u0000` and lone surrogates inside documents; U+FFFF, U+2028, emoji, NFC and NFD
# unknown role, empty content, invalid base64 in `__bytes_encoded__`
# (in every place and with their exact text: test_fidelity.py)

KEPT = [
    "123456789012345678901234567890",
    str(2**53 + 1),
    str(2**64),
    "-0.0",
    "1.0",
    "1e16",
    "1e22",
    "5e-324",
    '{"b":1,"a":2,"aa":3}',
    '"\\u0000"',
    '{"\\u0000":1}',
    '"\\ud800"',
    '{"\\udfff":1}',
    '"\uffff\u2028\U0001f600\u00e9e\u0301"',
    '{"__bytes_encoded__":true,"data":"not base64!"}',
]


@pytest.mark.parametrize("value", KEPT)
def test_unusual_values_are_kept(live_url: str, family: Family, value: str) -> None:
    document = inside(value)
    kept = accepted(live_url, places.write("POST", "message", family, {"message": document}))

    assert repr(json.loads(document)) == repr(kept["message"])


@pytest.mark.parametrize(
    "message",
    [
        '{"role":"","content":[]}',
        '{"role":"referee","content":[]}',
        '{"role":"user","content":null}',
        '{"role":"user","content":"text"}',
        '{"role":"user","content":[{"image":{"source":{"bytes":{"__bytes_encoded__":true,"data":"%%%"}}}}]}',
        '{"content":[],"role":"user","toolUse":{"$ref":"#/"}}',
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_what_a_message_says_is_nobody_s_business(live_url: str, family: Family, method: str, message: str) -> None:
    kept = accepted(live_url, places.write(method, "message", family, {"message": message}))

    assert message == json.dumps(kept["message"], separators=(",", ":"))


# `\u0000` or a lone surrogate in an id, a raw control character in a string, invalid UTF-8

BAD_IDS = {
    "NUL": "\0",
    "NUL inside": "a\0b",
    "lone surrogate": "\ud800",
    "lone low surrogate": "a\udfff",
    "empty": "",
    "blank": " ",
    "leading blank": " a",
    "trailing blank": "a ",
    "no-break space at the end": "a\u00a0",
    "trailing newline": "a\n",
    "newline": "a\nb",
    "delete": "a\x7f",
    "C1 control": "a\x85b",
    "replacement character": "a\ufffd",
    "slash": "a/b",
    "backslash": "a\\b",
    "dot": ".",
    "dots": "..",
    "256 characters": "a" * 256,
    "256 four-byte characters": "\U0001f600" * 256,
}


@pytest.mark.parametrize("member_id", BAD_IDS.values(), ids=BAD_IDS)
@pytest.mark.parametrize("resource", ["session", "agent", "multi_agent"])
def test_a_bad_id_in_a_body_is_refused(refuses: Refuses, family: Family, resource: str, member_id: str) -> None:
    write = places.write("POST", resource, family, {f"{resource}_id": json.dumps(member_id)})

    refuses(request("POST", write.url, write.body), 400, f"{resource}_id")


@pytest.mark.parametrize("member_id", ["1", "1.5", "true", "null", "[]", "{}", '["a"]'])
@pytest.mark.parametrize("resource", ["session", "agent", "multi_agent"])
def test_an_id_that_is_no_string_is_refused(refuses: Refuses, family: Family, resource: str, member_id: str) -> None:
    write = places.write("POST", resource, family, {f"{resource}_id": member_id})

    refuses(request("POST", write.url, write.body), 400, f"{resource}_id")


@pytest.mark.parametrize(
    "value", ['"\0"', '"\n"', '"\x1f"', '"a\tb"', '{"\0":1}', '"\\x00"', '"\\u00"', '"\\', '"'], ids=ascii
)
@pytest.mark.parametrize("place", PLACES, ids=str)
def test_a_raw_control_character_or_bad_escape_is_refused(
    refuses: Refuses, family: Family, place: Place, value: str
) -> None:
    write = place.write(family, inside(value))

    refuses(request(write.method, write.url, write.body), 400, "body")


@pytest.mark.parametrize(
    "octets", [b"\xff", b"\x80", b"\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", "ü".encode("latin-1")]
)
@pytest.mark.parametrize("place", PLACES, ids=str)
def test_invalid_utf_8_is_refused(refuses: Refuses, family: Family, place: Place, octets: bytes) -> None:
    write = place.write(family, inside('"@"'))

    refuses(request(write.method, write.url, write.body.encode().replace(b"@", octets)), 400, "body")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_other_encodings_are_refused(refuses: Refuses, encoding: str) -> None:
    refuses(request("POST", "/api/v1/sessions", '{"session_id":"a"}'.encode(encoding)), 400, "body")


# 100,000 keys, an array of 1,000,000

LARGE = {
    "100,000 keys": json.dumps({str(number): number for number in range(100_000)}),
    "1,000,000 numbers": json.dumps(list(range(1_000_000))),
}


@pytest.mark.parametrize("value", LARGE.values(), ids=LARGE)
def test_large_documents_are_kept_or_refused(live_url: str, young_family: Family, value: str) -> None:
    write = places.write("POST", "agent", young_family, {"state": inside(value)})
    answer = send(live_url, request("POST", write.url, write.body))

    assert answer.status in (201, 400)
    if answer.status == 201:
        assert json.loads(value) == send(live_url, request("GET", write.member)).json["state"]["x"]


# Content-Length above the limit; chunked above the limit; Content-Length 10 and 2 bytes sent


def chunked(method: str, target: str, *chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    head = request(method, target, Content_Length=None, Transfer_Encoding="chunked")
    return head + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + end


def test_a_length_above_the_limit_is_refused_before_the_body_is_sent(
    refuses: Refuses, write_of: Callable[..., places.Write]
) -> None:
    write = write_of()
    refuses(request(write.method, write.url, Content_Length=str(LIMIT + 1)), 413)


def test_a_body_above_the_limit_is_refused(refuses: Refuses, write_of: Callable[..., places.Write]) -> None:
    write = write_of()
    refuses(request(write.method, write.url, write.body.ljust(LIMIT + 1)), 413)


def test_a_chunked_body_above_the_limit_is_refused(refuses: Refuses, write_of: Callable[..., places.Write]) -> None:
    write = write_of()
    refuses(chunked(write.method, write.url, write.body.encode(), *[b" " * 2**20] * 16), 413)


def test_a_body_of_just_the_limit_is_accepted(live_url: str) -> None:
    session_id = new_id()
    answer = send(live_url, request("POST", "/api/v1/sessions", json.dumps({"session_id": session_id}).ljust(LIMIT)))

    assert (201, session_id) == (answer.status, answer.json["session_id"])


def test_a_chunked_body_is_accepted(live_url: str) -> None:
    session_id = new_id()
    answer = send(
        live_url, chunked("POST", "/api/v1/sessions", b'{"session_id":', json.dumps(session_id).encode(), b"}")
    )

    assert (201, session_id) == (answer.status, answer.json["session_id"])


def test_a_body_shorter_than_its_length_is_refused(refuses: Refuses, write_of: Callable[..., places.Write]) -> None:
    write = write_of()
    refuses(request(write.method, write.url, "{}", Content_Length="10"), 400, "body", and_stop=True)


def test_a_whole_document_in_a_shorter_body_is_not_stored(
    refuses: Refuses, write_of: Callable[..., places.Write]
) -> None:
    write = write_of()
    data = request(write.method, write.url, write.body, Content_Length=str(len(write.body) + 1))
    refuses(data, 400, "body", and_stop=True)


@pytest.mark.parametrize(
    "end",
    [b"", b"0\r\n", b"5\r\n{}", b"zz\r\n{}\r\n0\r\n\r\n", b"-1\r\n{}\r\n0\r\n\r\n", b"2\r\n{}0\r\n\r\n"],
    ids=["none", "half", "cut chunk", "bad size", "negative size", "no newline"],
)
def test_a_chunked_body_without_a_proper_end_is_refused(
    refuses: Refuses, write_of: Callable[..., places.Write], end: bytes
) -> None:
    write = write_of()
    refuses(chunked(write.method, write.url, write.body.encode(), end=end), 400, "body", and_stop=True)


# text/plain, no type, multipart; `Content-Encoding: gzip` where not supported


@pytest.mark.parametrize(
    "media_type",
    [
        None,
        "",
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/octet-stream",
        "json",
        "application/jsonp",
    ],
)
def test_another_media_type_is_refused(
    refuses: Refuses, write_of: Callable[..., places.Write], media_type: str | None
) -> None:
    write = write_of()
    refuses(request(write.method, write.url, write.body, Content_Type=media_type), 415)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "GZIP", "identity, gzip", "nonsense"])
def test_a_compressed_body_is_refused(refuses: Refuses, write_of: Callable[..., places.Write], coding: str) -> None:
    write = write_of()
    refuses(request(write.method, write.url, gzip.compress(write.body.encode()), Content_Encoding=coding), 415)


@pytest.mark.parametrize("media_type", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_json_under_any_spelling_of_its_type_is_accepted(live_url: str, media_type: str) -> None:
    body = json.dumps({"session_id": new_id()})

    assert 201 == send(live_url, request("POST", "/api/v1/sessions", body, Content_Type=media_type)).status


# id `..`, `.`, `%2e%2e`, `a%2Fb`, `%00`, `%ff`, `%0d%0a`, empty, blanks, 256 characters

SEGMENTS = {
    "..": 400,
    ".": 400,
    "%2e": 400,
    "%2e%2e": 400,
    ".%2E": 400,
    "a%5Cb": 400,
    "%00": 400,
    "a%00": 400,
    "%ff": 400,
    "%ed%a0%80": 400,
    "%ef%bf%bd": 400,
    "%0d%0a": 400,
    "a%0a": 400,
    "a%0d%0aSet-Cookie:%20a=b": 400,
    "%7f": 400,
    "%20": 400,
    "%20%20": 400,
    "%20a": 400,
    "a%20": 400,
    "%c2%a0": 400,
    "a" * 256: 400,
    "%f0%9f%98%80" * 256: 400,
    "": 404,
}
MEMBERS = {
    "session": "/api/v1/sessions/{}",
    "agent": "/api/v1/sessions/{session}/agents/{}",
    "multi_agent": "/api/v1/sessions/{session}/multi-agents/{}",
}
BELOW = {
    "agents": "/api/v1/sessions/{}/agents",
    "multi-agents": "/api/v1/sessions/{}/multi-agents",
    "messages": "/api/v1/sessions/{session}/agents/{}/messages",
}


@pytest.mark.parametrize(("segment", "status"), SEGMENTS.items(), ids=lambda value: ascii(value)[:30])
@pytest.mark.parametrize("url", MEMBERS.values(), ids=MEMBERS)
def test_a_bad_id_in_a_path_is_refused(refuses: Refuses, family: Family, url: str, segment: str, status: int) -> None:
    for method in ("GET", "PUT", "DELETE"):
        refuses(request(method, url.format(segment, session=family.session_id), "{}"), status)


@pytest.mark.parametrize(("segment", "status"), SEGMENTS.items(), ids=lambda value: ascii(value)[:30])
@pytest.mark.parametrize("url", BELOW.values(), ids=BELOW)
def test_a_bad_id_of_a_parent_is_refused(refuses: Refuses, family: Family, url: str, segment: str, status: int) -> None:
    for method in ("GET", "POST"):
        refuses(request(method, url.format(segment, session=family.session_id), "{}"), status)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize(
    "url",
    ["/api/v1/sessions/a%2Fb", "/api/v1/sessions/a%2fb", "/api/v1/sessions/{}/agents/a%2Fb", "/api/v1/sessions/%2F"],
)
def test_an_encoded_slash_is_no_id(live_url: str, family: Family, url: str, method: str) -> None:
    answer = send(live_url, request(method, url.format(family.session_id), "{}"))

    assert answer.status in (400, 404)
    assert_error(answer, answer.status)


@pytest.mark.parametrize("slash", ["%2F", "%2f"])
def test_an_encoded_slash_reaches_no_other_resource(live_url: str, db: Database, family: Family, slash: str) -> None:
    before = stored(db)
    target = f"/api/v1/sessions/{family.session_id}{slash}agents{slash}assistant"
    answers = [send(live_url, request(method, target, '{"state":{}}')) for method in ("GET", "PUT", "DELETE")]

    assert {answer.status for answer in answers} <= {400, 404}
    assert before == stored(db)


# 255 four-byte characters; `'; DROP TABLE x;--`; `%`, `_`, `*`; `<script>`, `${jndi:x}`, `{{7*7}}`

LITERALS = {
    "255 four-byte characters": "\U0001f600" * 255,
    "SQL": "'; DROP TABLE sessions;--",
    "quotes": "\"'`",
    "%": "%",
    "_": "_",
    "*": "*",
    "%s": "%s%(x)s",
    "encoded": "%2e%2e%2Fa",
    "script": "<script>alert(1)",
    "jndi": "${jndi:x}",
    "template": "{{7*7}}",
    "format": "{0.__class__}",
    "query": "a?b=c&d#e",
    "plus": "a+b",
    "inner blank": "a b",
    "right to left": "\u202e\u05d0",
    "combining": "\u0301",
    "mail address": "user@example.com",
    "last of a plane": "\uffff\U0010ffff",
}


@pytest.mark.parametrize("literal", LITERALS.values(), ids=LITERALS)
@pytest.mark.parametrize("resource", ["session", "agent", "multi_agent"])
def test_an_unusual_id_is_kept_literally_and_read_updated_listed_and_deleted_by_it(
    live_url: str, young_family: Family, resource: str, literal: str
) -> None:
    collection, name = young_family.collection(resource), f"{resource}_id"
    body = places.write("POST", resource, young_family, {name: json.dumps(literal)}).body
    made = send(live_url, request("POST", collection, body))
    location = made.headers["Location"]
    prefix = f"?prefix={quote(literal)}" if resource == "session" else ""
    listed = send(live_url, request("GET", collection + prefix)).json

    assert (201, literal) == (made.status, made.json[name])
    assert f"{collection}/{quote(literal, safe='')}" == location
    assert [literal] == [row[name] for row in listed[f"{resource}s"] if row[name] == literal]
    assert literal == send(live_url, request("GET", location)).json[name]
    assert literal == send(live_url, request("PUT", location, "{}")).json[name]
    assert 204 == send(live_url, request("DELETE", location)).status
    assert_error(send(live_url, request("GET", location)), 404)


@pytest.mark.parametrize("prefix", ["%", "_", "*", "\\", "a%", ".", "[a-z]", "'", '"'])
def test_a_prefix_knows_no_wildcards(live_url: str, family: Family, prefix: str) -> None:
    listed = send(live_url, request("GET", f"/api/v1/sessions?prefix={quote(prefix)}"))

    assert 200 == listed.status
    assert [] == [row for row in listed.json["sessions"] if not row["session_id"].startswith(prefix)]


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "${jndi:x}", "{{7*7}}", "%s", "'; DROP TABLE x;--"])
def test_what_a_refused_request_held_comes_back_as_inert_json_or_not_at_all(refuses: Refuses, text: str) -> None:
    answer = refuses(
        request("POST", "/api/v1/sessions", json.dumps({"session_id": "a", "x": {text: 0}})[:-2] + ',"b":NaN}}'), 400
    )

    assert "application/json" == answer.headers["Content-Type"]
    assert b"49" not in answer.body.replace(answer.json["timestamp"].encode(), b"").replace(
        answer.json["request_id"].encode(), b""
    )


# message_id -1, 1.5, "1", true, null, 2^63; limit -1, 10^9, abc; offset -1, 2^63


@pytest.mark.parametrize(
    "value", ["-1", "1.5", "1.0", "1e0", '"1"', '""', "true", "null", "[]", "[1]", "{}", str(2**63), str(2**64)]
)
def test_a_bad_message_id_is_refused(refuses: Refuses, family: Family, value: str) -> None:
    write = places.write("POST", "message", family, {"message_id": value})

    refuses(request("POST", write.url, write.body), 400, "message_id")


@pytest.mark.parametrize(
    "segment", ["-1", "1.5", "abc", "true", "+1", "%201", "1%20", "0x1", "1_0", "%D9%A3", str(2**63), "9" * 400]
)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_bad_message_id_in_a_path_is_refused(refuses: Refuses, family: Family, method: str, segment: str) -> None:
    refuses(request(method, f"{family.collection('message')}/{segment}", "{}"), 400, "message_id")


@pytest.mark.parametrize("message_id", [0, 2**53 + 1, 2**63 - 1])
def test_message_ids_reach_to_the_end_of_64_bits(live_url: str, agent_url: str, message_id: int) -> None:
    body = f'{{"message_id":{message_id},"message":{{"role":"user","content":[]}}}}'
    made = send(live_url, request("POST", f"{agent_url}/messages", body))

    assert (201, message_id) == (made.status, made.json["message_id"])
    assert message_id == send(live_url, request("GET", made.headers["Location"])).json["message_id"]


BAD_QUERIES = {
    "limit": ["-1", "1001", "1000000000", "abc", "", "1.5", "1e2", "0x1", "%00", "%ff", "%D9%A3", "1%0a", "9" * 400],
    "offset": ["-1", str(2**63), "abc", "", "1.5", "%00", "9" * 400],
    "page": ["0", "-1", "abc", str(2**63), str(2**63 - 1)],
    "page_size": ["0", "-1", "1001", "abc"],
    "order": ["", "ascending", "ASC", "random()", "%00"],
    "total": ["", "maybe", "2", "%00"],
    "after": ["", "x", "AAAA", "%00", "%ff", "bnVsbA", "W10", "WyJhIl0", "WzFd", "W1tdXQ", "e30"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD_QUERIES.items() for value in values])
@pytest.mark.parametrize("resource", places.DOCUMENTS)
def test_a_bad_query_is_refused_by_name(refuses: Refuses, family: Family, resource: str, name: str, value: str) -> None:
    if (resource, name, value) == ("message", "after", "WzFd"):
        value = "WzEuNV0"  # [1] is the cursor behind message 1; [1.5] is none

    refuses(request("GET", f"{family.collection(resource)}?{name}={value}"), 400, name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (name, value)
        for name in ("created_after", "created_before", "updated_after", "updated_before")
        for value in (
            "yesterday",
            "",
            "2026-02-30T00:00:00Z",
            "10000-01-01T00:00:00Z",
            "1",
            "%00",
            "9999-12-31T23:59:59-01:00",
        )
    ]
    + [("prefix", "%00"), ("prefix", "a%0a"), ("prefix", "a" * 256)],
)
def test_a_bad_filter_is_refused_by_name(refuses: Refuses, name: str, value: str) -> None:
    refuses(request("GET", f"/api/v1/sessions?{name}={value}"), 400, name)


# state a list, message a string, role missing; body id unlike path id


@pytest.mark.parametrize("value", ["[]", '"x"', "1", "1.5", "true", "null"])
@pytest.mark.parametrize("place", PLACES, ids=str)
def test_a_document_that_is_no_object_is_refused(refuses: Refuses, family: Family, place: Place, value: str) -> None:
    if value == "null" and place.field in ("multi_agent_state", "redact_message"):
        value = "[null]"  # null is allowed there, and clears
    write = place.write(family, value)

    refuses(request(write.method, write.url, write.body), 400, place.field)


@pytest.mark.parametrize(
    ("message", "paths"),
    [
        ("{}", ["message.role", "message.content"]),
        ('{"role":"user"}', ["message.content"]),
        ('{"content":[]}', ["message.role"]),
        ('{"role":null,"content":[]}', ["message.role"]),
        ('{"role":["user"],"content":[]}', ["message.role"]),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_message_without_role_or_content_is_refused(
    refuses: Refuses, family: Family, method: str, message: str, paths: list[str]
) -> None:
    write = places.write(method, "message", family, {"message": message})

    refuses(request(method, write.url, write.body), 400, *paths)


@pytest.mark.parametrize(
    ("resource", "missing"),
    [
        ("session", ["session_id"]),
        ("agent", ["agent_id", "conversation_manager_state", "state"]),
        ("message", ["message", "message_id"]),
        ("multi_agent", ["multi_agent_id", "state"]),
    ],
)
def test_a_body_without_anything_is_refused_by_all_that_is_missing(
    refuses: Refuses, family: Family, resource: str, missing: list[str]
) -> None:
    refuses(request("POST", family.collection(resource), "{}"), 400, *missing)


@pytest.mark.parametrize(
    ("resource", "name", "value"),
    [
        ("session", "session_id", '"another"'),
        ("session", "session_id", "null"),
        ("agent", "agent_id", '"another"'),
        ("agent", "session_id", '"another"'),
        ("message", "message_id", "1"),
        ("message", "message_id", '"0"'),
        ("message", "message_id", "0.0"),
        ("message", "message_id", "false"),
        ("message", "agent_id", '"another"'),
        ("message", "session_id", '"another"'),
        ("multi_agent", "multi_agent_id", '"another"'),
        ("multi_agent", "session_id", '"another"'),
    ],
)
def test_an_id_in_the_body_unlike_that_in_the_path_is_refused(
    refuses: Refuses, family: Family, resource: str, name: str, value: str
) -> None:
    write = places.write("PUT", resource, family, {name: value})

    refuses(request("PUT", write.url, write.body), 400, name)


@pytest.mark.parametrize(
    "value", ["1", "null", "true", "[]", "{}", '""', '"\\u0000"', '"\\ud800"', '"a\\nb"', json.dumps("a" * 256)]
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_bad_session_type_is_refused(refuses: Refuses, family: Family, method: str, value: str) -> None:
    write = places.write(method, "session", family, {"session_type": value})

    refuses(request(method, write.url, write.body), 400, "session_type")


# a child of a missing parent; the same id with other content


@pytest.mark.parametrize(
    ("url", "resource", "missing"),
    [
        ("/api/v1/sessions/{missing}/agents", "agent", {"session"}),
        ("/api/v1/sessions/{missing}/multi-agents", "multi_agent", {"session"}),
        ("/api/v1/sessions/{missing}/agents/assistant/messages", "message", {"session", "agent"}),
        ("/api/v1/sessions/{session}/agents/{missing}/messages", "message", {"agent"}),
    ],
)
def test_a_child_of_a_missing_parent_is_refused(
    refuses: Refuses, family: Family, url: str, resource: str, missing: set[str]
) -> None:
    target = url.format(session=family.session_id, missing=new_id())
    body = places.write("POST", resource, family, {}).body

    assert refuses(request("POST", target, body), 404).json["details"]["resource"] in missing
    assert refuses(request("GET", target), 404).json["details"]["resource"] in missing


@pytest.mark.parametrize("place", [place for place in PLACES if place.method == "POST"], ids=str)
def test_a_taken_id_with_other_content_is_refused_and_the_row_stays(
    live_url: str, refuses: Refuses, family: Family, place: Place
) -> None:
    name = f"{place.resource}_id"
    before = send(live_url, request("GET", family.member(place.resource)))
    own = {name: json.dumps(family.member_id(place.resource)), place.field: inside("1")}
    write = places.write("POST", place.resource, family, own)
    refused = refuses(request("POST", write.url, write.body), 409)
    after = send(live_url, request("GET", family.member(place.resource)))

    assert {"resource": place.resource, "identical": False} == refused.json["details"]
    assert (before.body, before.headers["ETag"]) == (after.body, after.headers["ETag"])


# bad timestamps, year 10000

BAD_TIMES = [
    '"yesterday"',
    '" "',
    "0",
    "1767225600",
    "1.5",
    "true",
    "[]",
    "{}",
    '"2026-13-01T00:00:00Z"',
    '"2026-02-30T00:00:00Z"',
    '"2026-01-01T25:00:00Z"',
    '"2026-01-01T00:60:00Z"',
    '"2026-01-01T00:00:61Z"',
    '"2026-01-01T00:00:00+24:00"',
    '"2026-01-01T00:00:00+00:60"',
    '"2026-01-01T00:00:00Z\\n"',
    '" 2026-01-01T00:00:00Z"',
    '"2026-01-01T00:00:00Z\\u0000"',
    '"\\u0662\\u0660\\u0662\\u0666-01-01T00:00:00Z"',
    '"10000-01-01T00:00:00Z"',
    '"+10000-01-01T00:00:00Z"',
    '"9999-12-31T23:59:59-01:00"',
    '"0000-01-01T00:00:00Z"',
    '"0001-01-01T00:00:00+01:00"',
    '"-0001-01-01T00:00:00Z"',
    '"infinity"',
    '"now"',
]


@pytest.mark.parametrize("value", BAD_TIMES)
@pytest.mark.parametrize("resource", places.DOCUMENTS)
def test_a_bad_time_is_refused(refuses: Refuses, family: Family, resource: str, value: str) -> None:
    write = places.write("POST", resource, family, {"created_at": value, "updated_at": value})

    refuses(request("POST", write.url, write.body), 400, "created_at", "updated_at")


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59.999999+00:00"])
def test_the_first_and_the_last_moment_are_kept(live_url: str, family: Family, time: str) -> None:
    kept = accepted(live_url, places.write("POST", "message", family, {"created_at": json.dumps(time)}))

    assert time == kept["created_at"]


# X-Request-ID with control characters, `%0d%0a`, 10 kB

BAD_REQUEST_IDS = {
    "NUL": b"a\0b",
    "control": b"a\x01b",
    "tab": b"a\tb",
    "escape": b"\x1b[31m",
    "carriage return": b"a\rSet-Cookie: a=b",
    "newline": b"a\nSet-Cookie: a=b",
    "fold": b"a\r\n Set-Cookie: a=b",
    "encoded newline": b"a%0d%0aSet-Cookie:%20a=b",
    "blank": b"a b",
    "two": b"a,b",
    "quote": b'"a"',
    "latin-1": b"\xe4",
    "not UTF-8": b"\xff\xfe",
    "UTF-8": "ä".encode(),
    "empty": b"",
    "65 characters": b"a" * 65,
    "8 kB": b"a" * 8000,
    "10 kB": b"a" * 10240,
}


@pytest.mark.parametrize("given", BAD_REQUEST_IDS.values(), ids=BAD_REQUEST_IDS)
def test_a_bad_request_id_is_replaced_or_refused(live_url: str, family: Family, given: bytes) -> None:
    answer = send(live_url, request("GET", family.member("session"), X_Request_ID=given))

    assert answer.headers["Set-Cookie"] is None
    if answer.status == 200:
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", answer.headers["X-Request-ID"])
        assert given.decode("latin-1") != answer.headers["X-Request-ID"]
    else:
        assert 400 <= answer.status < 500


@pytest.mark.parametrize("given", ["a", "A-z_0.9", "a" * 64])
def test_a_good_request_id_comes_back(live_url: str, given: str) -> None:
    answer = send(live_url, request("GET", "/api/v1/sessions/missing", X_Request_ID=given))

    assert (given, given) == (answer.headers["X-Request-ID"], answer.json["request_id"])


# Authorization empty, 10 kB, non-ASCII, wrong scheme


BAD_KEYS = {
    "empty": b"",
    "blank": b" ",
    "no key": b"Bearer",
    "no scheme": key_text.new().encode(),
    "wrong scheme": b"Basic " + key_text.new().encode(),
    "another scheme": b'Digest username="a"',
    "unknown": b"Bearer " + key_text.new().encode(),
    "mistyped": b"Bearer " + key_text.new()[:-1].encode() + b"!",
    "two": b"Bearer " + key_text.new().encode() + b", Bearer " + key_text.new().encode(),
    "latin-1": b"Bearer sk_\xe4",
    "UTF-8": "Bearer sk_ä日本".encode(),
    "not UTF-8": b"\xff\xfe",
    "encoded newline": b"Bearer sk_%0d%0aX-Tenant: other",
    "SQL": b"Bearer sk_'; DROP TABLE api_keys;--",
    "8 kB": b"Bearer " + b"a" * 8000,
    "10 kB": b"Bearer sk_" + b"a" * 10240,
}


@pytest.mark.parametrize("given", BAD_KEYS.values(), ids=BAD_KEYS)
@pytest.mark.parametrize("header", ["Authorization", "X_API_Key"])
def test_a_bad_key_is_refused(
    live_url: str, db: Database, write_of: Callable[..., places.Write], header: str, given: bytes
) -> None:
    write, before = write_of(), stored(db)
    if header == "X_API_Key":
        given = given.removeprefix(b"Bearer ")
    answer = wire.send(live_url, request(write.method, write.url, write.body, **{header: given}))

    assert_error(answer, 401)
    assert "Bearer" == answer.headers["WWW-Authenticate"]
    assert before == stored(db)


# `Origin: evil` preflight; method override headers; X-Forwarded-For


@pytest.mark.parametrize("method", ["OPTIONS", "GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_no_other_origin_is_let_in(live_url: str, young_family: Family, method: str, origin: str) -> None:
    preflight = {"Access_Control_Request_Method": "DELETE", "Access_Control_Request_Headers": "x-request-id"}
    answer = send(live_url, request(method, young_family.member("session"), "{}", Origin=origin, **preflight))

    assert answer.status < 500
    assert [] == [name for name in answer.headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize("name", ["X_HTTP_Method_Override", "X_HTTP_Method", "X_Method_Override"])
@pytest.mark.parametrize("resource", places.DOCUMENTS)
def test_method_override_headers_are_ignored(
    live_url: str, db: Database, refuses: Refuses, family: Family, resource: str, name: str
) -> None:
    before = stored(db)
    read = send(live_url, request("GET", f"{family.member(resource)}?_method=DELETE", **{name: "DELETE"}))

    assert 200 == read.status
    assert before == stored(db)
    refuses(request("POST", f"{family.member(resource)}?_method=DELETE", "{}", **{name: "DELETE"}), 405)


@pytest.mark.parametrize(
    "header",
    [
        "X-Forwarded-For: 6.6.6.6",
        "X-Forwarded-For: '; DROP TABLE x;--, \xff",
        "X-Forwarded-Host: evil.example",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Prefix: /evil",
        "Forwarded: for=6.6.6.6;host=evil.example;proto=https",
        "X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: off",
        "X-Original-URL: /api/v1/sessions/another",
        "X-Rewrite-URL: /api/v1/sessions/another",
        "SCRIPT_NAME: /api",
        "SCRIPT_NAME: /evil",
        "SCRIPT-NAME: /evil",
        "PATH_INFO: /api/v1/sessions/another",
        "X_Request_ID: evil",
    ],
)
def test_what_a_proxy_might_say_is_ignored(live_url: str, header: str) -> None:
    session_id = new_id()
    body = json.dumps({"session_id": session_id})
    head, _, content = request("POST", "/api/v1/sessions", body).partition(b"\r\n\r\n")
    answer = send(live_url, b"\r\n".join([head, header.encode("latin-1"), b"", content]))

    assert (201, session_id) == (answer.status, answer.json["session_id"])
    assert f"/api/v1/sessions/{session_id}" == answer.headers["Location"]
    assert b"evil" not in str(answer.headers).encode() + answer.body


# If-Match stale; malformed


@pytest.mark.parametrize(
    "condition",
    ["abc", '"', '"a', "W/a", '"a" "b"', '"a",', ',"a"', '"a";"b"', '*, "a"', "**", "", " ", '"\x01"', "'a'"],
)
@pytest.mark.parametrize("resource", places.DOCUMENTS)
def test_a_malformed_if_match_is_refused(
    live_url: str, db: Database, family: Family, resource: str, condition: str
) -> None:
    before = stored(db)
    for method in ("PUT", "DELETE"):
        answer = send(live_url, request(method, family.member(resource), "{}", If_Match=condition))

        assert 400 == answer.status
        if "\x01" not in condition:  # a control character is gunicorn's to refuse
            assert_error(answer, 400, "If-Match")
        assert before == stored(db)


@pytest.mark.parametrize(
    "condition",
    ['"0"', '"stale"', '""', 'W/"{etag}"', '"a", "b"', '"{etag}0"', '"0{etag}"', '"-1"', '"' + "f" * 400 + '"'],
)
@pytest.mark.parametrize("resource", places.DOCUMENTS)
def test_a_stale_if_match_is_refused(
    live_url: str, refuses: Refuses, family: Family, resource: str, condition: str
) -> None:
    etag = send(live_url, request("GET", family.member(resource))).headers["ETag"].strip('"')
    for method in ("PUT", "DELETE"):
        refuses(request(method, family.member(resource), "{}", If_Match=condition.replace("{etag}", etag)), 412)


# beyond the table: what else an HTTP library would not send


@pytest.mark.parametrize(
    "data",
    [
        b"GET /api/v1/sessions\r\n\r\n",
        b"GET  /api/v1/sessions HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /api/v1/sessions HTTP/9.9\r\nHost: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"G\0T / HTTP/1.1\r\nHost: a\r\n\r\n",
        request("GET", b"/api/v1/sessions/\xff"),
        request("GET", b"/api/v1/sessions/a\0"),
        request("GET", "/api/v1/sessions?x=" + "a" * 9000),
        request("GET", "/api/v1/sessions", X=b"a" * 20480),
        request("POST", "/api/v1/sessions", "{}", Content_Length="-1"),
        request("POST", "/api/v1/sessions", "{}", Content_Length="+2"),
        request("POST", "/api/v1/sessions", "{}", Content_Length="two"),
        request("POST", "/api/v1/sessions", "{}", Content_Length="2, 3"),
        request("POST", "/api/v1/sessions", "{}", Transfer_Encoding="chunked"),
        request("GET", "/api/v1/sessions", **{"A b": "c"}),
    ],
    ids=lambda data: ascii(data[:60]),
)
def test_what_is_no_http_is_refused(live_url: str, db: Database, data: bytes) -> None:
    before = stored(db)

    assert 400 <= send(live_url, data, and_stop=True).status < 500
    assert before == stored(db)


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/api/v2/sessions", 404),
        ("GET", "/api/v1/sessions/a/b", 404),
        ("GET", "/api/v1/sessions/", 404),
        ("GET", "/static/../__init__.py", 404),
        ("GET", "/static/..%2f__init__.py", 400),
        ("GET", "/docs/assets/unknown.js", 404),
        ("PATCH", "/api/v1/sessions", 405),
        ("TRACE", "/api/v1/sessions", 405),
        ("BREW", "/api/v1/sessions", 405),
        ("POST", "/health/live", 405),
        ("POST", "/metrics", 405),
        ("PUT", "/openapi.json", 405),
        ("DELETE", "/docs", 405),
    ],
)
def test_unknown_routes_and_methods_are_refused(refuses: Refuses, method: str, target: str, status: int) -> None:
    refuses(request(method, target, "{}"), status)


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "application/json;q=0", "nonsense"])
@pytest.mark.parametrize("resource", places.DOCUMENTS)
def test_a_write_whose_answer_would_not_be_accepted_is_refused_first(
    refuses: Refuses, family: Family, resource: str, accept: str
) -> None:
    write = places.write("POST", resource, family, {})

    refuses(request("POST", write.url, write.body, Accept=accept), 406)
    refuses(request("DELETE", family.member(resource), Accept=accept), 406)
