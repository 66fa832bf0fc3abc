"""What the properties are tried on: documents, ids, times, bodies, and bodies that must be refused."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

KINDS = ("session", "agent", "message", "multi_agent")
INT64_MAX = 2**63 - 1
DEEPEST = 100

# Each has been lost or changed by some JSON library, by jsonb, or by a path through text.
_ODD_NUMBERS = [0.0, -0.0, 1.0, 1e16, 1e22, 5e-324, 1.7976931348623157e308, 0.1 + 0.2, 100.0, -1.5e-7]
_ODD_INTEGERS = [0, -1, 2**31, 2**53 + 1, 2**63, 2**64, -(2**70), 10**29 + 7]
_ODD_TEXTS = [
    "",
    "\x00",
    "a\x00b",
    "\ud800",
    "x\udfff",
    "\u2028\u2029",
    "\uffff",
    "\ufffd",
    "\x7f\x85",
    "é",
    "e\u0301",
    "😀",
    "日本",
    '"\\/\b\f\n\r\t',
    "</script>",
    "{{7*7}}${x}%s%(a)s",
    "'; DROP TABLE sessions;--",
    "__proto__",
    "session_id",
    "NaN",
    "1e400",
    "null",
    " ",
]
_ODD_IDS = [
    "user@example.com",
    "a.b:c",
    "日本",
    "...",
    "-",
    "0",
    "%2F",
    "a%2e%2e",
    "%",
    "_",
    "*",
    "?a=1&b=2#c",
    "a b",
    "a+b",
    "a;b=c",
    "agents",
    "'; DROP TABLE sessions;--",
    "<script>alert(1)",
    "${jndi:x}{{7*7}}",
    '"quoted"',
    "é",
    "e\u0301",
    "a\u200bb",
    "a\uffffb",
    "x" * 255,
    "😀" * 255,
]


def as_json_has_it(value: Any) -> Any:
    """The value as JSON can hold it: two surrogate halves side by side are one character there."""
    return json.loads(json.dumps(value))


any_text = st.one_of(st.sampled_from(_ODD_TEXTS), st.text(st.characters(exclude_categories=()), max_size=6))
_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(_ODD_NUMBERS),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(_ODD_INTEGERS),
    st.integers(-(10**40), 10**40),
    any_text,
)
json_values = st.recursive(
    _scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(any_text, inner, max_size=3)),
    max_leaves=5,
).map(as_json_has_it)


def nested(depth: int) -> dict[str, Any]:
    """An object that is nested so many levels deep."""
    document: dict[str, Any] = {}
    for _ in range(depth - 1):
        document = {"d": document}
    return document


documents: SearchStrategy[dict[str, Any]] = st.one_of(
    st.dictionaries(any_text, json_values, max_size=4).map(as_json_has_it),
    st.dictionaries(any_text, json_values, min_size=1, max_size=4).map(as_json_has_it),
    st.integers(1, DEEPEST).map(nested),
)


@st.composite
def messages(draw: st.DrawFn) -> dict[str, Any]:
    """A message of the SDK with further keys of its own, in any order."""
    others = draw(st.dictionaries(any_text, json_values, max_size=2))
    fields = {**others, "role": draw(any_text), "content": draw(json_values)}
    return as_json_has_it(dict(draw(st.permutations(list(fields.items())))))


def _is_trimmed(text: str) -> bool:
    return text == text.strip()


ids: SearchStrategy[str] = st.one_of(
    st.sampled_from(_ODD_IDS),
    st.text(
        st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="/\\\ufffd"), min_size=1, max_size=8
    ).filter(lambda text: _is_trimmed(text) and text not in (".", "..")),
)
message_ids: SearchStrategy[int] = st.one_of(
    st.integers(0, 9), st.integers(0, INT64_MAX), st.sampled_from([0, 2**31, 2**53 + 1, INT64_MAX])
)
session_types: SearchStrategy[str] = st.one_of(
    st.sampled_from(["AGENT", "MULTI_AGENT", "unknown", " ", "日本", "x" * 255, "\ufffd\u2028"]),
    st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=8),
)


class Time(NamedTuple):
    """A moment, and one of the ways to write it down."""

    written: str
    moment: datetime


@st.composite
def times(draw: st.DrawFn) -> Time:
    moment = draw(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(timezone.utc)))
    form = draw(st.sampled_from(["offset", "Z", "naive", "blank", "milliseconds"]))
    if form == "Z":
        return Time(moment.replace(tzinfo=None).isoformat() + "Z", moment)
    if form == "naive":
        return Time(moment.replace(tzinfo=None).isoformat(), moment)
    if form == "milliseconds":
        rounded = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        return Time(rounded.isoformat(timespec="milliseconds"), rounded)
    offset = timezone(timedelta(minutes=draw(st.integers(-14 * 60, 14 * 60))))
    return Time(moment.astimezone(offset).isoformat("T" if form == "offset" else " "), moment)


IDS: dict[str, SearchStrategy[Any]] = {
    "session": ids,
    "agent": ids,
    "message": message_ids,
    "multi_agent": ids,
}
FIELDS: dict[str, dict[str, SearchStrategy[Any]]] = {
    "session": {"session_type": session_types, "multi_agent_state": st.none() | documents},
    "agent": {"state": documents, "conversation_manager_state": documents, "internal_state": documents},
    "message": {"message": messages(), "redact_message": st.none() | documents},
    "multi_agent": {"state": documents},
}


def bodies(kind: str) -> SearchStrategy[dict[str, Any]]:
    """A complete body for POST."""
    return st.fixed_dictionaries({f"{kind}_id": IDS[kind], **FIELDS[kind]})


def changes(kind: str) -> SearchStrategy[dict[str, Any]]:
    """A body for PUT: any of the fields, or none."""
    return st.fixed_dictionaries({}, optional=FIELDS[kind])


# --- bodies that must be refused ---------------------------------------------------------------------------------

_NO_OBJECT = [[], [{}], "x", "", 0, 1.5, True, False]
_NO_ID = [
    "",
    " ",
    ".",
    "..",
    "a/b",
    "a\\b",
    "\x00",
    "a\n",
    "\x7f",
    "\x85",
    "\ufffd",
    "\ud800",
    " a",
    "a\u3000",
    "x" * 256,
    1,
    1.0,
    True,
    None,
    [],
    {},
]
_NO_TIME = ["yesterday", "2026-13-01T00:00:00Z", "10000-01-01T00:00:00Z", "2026-01-01", " ", 5, 0.5, True, [], {}]
_REFUSED_CHARACTERS = st.one_of(st.characters(categories=("Cc", "Cs")), st.sampled_from("\\\ufffd"))

# Segments of a path; one with a slash in it would be two.
refused_ids: SearchStrategy[str] = st.one_of(
    st.builds("{}{}{}".format, st.text("ab", max_size=3), _REFUSED_CHARACTERS, st.text("ab", max_size=3)),
    st.builds("{}{}".format, ids, st.sampled_from(" \t\n\u00a0\u2028\u3000")),
    st.builds("{}{}".format, st.sampled_from(" \t\n\u00a0\u2028\u3000"), ids),
    st.integers(256, 300).map(lambda length: "x" * length),
    st.sampled_from([".", "..", " "]),
)
refused_message_ids: SearchStrategy[str] = st.one_of(
    st.integers(max_value=-1).map(str),
    st.integers(INT64_MAX + 1, 10**30).map(str),
    st.floats(allow_nan=True).map(str),
    st.sampled_from(["+1", "1_0", "0x1", "1e1", "\uff11", " 1", "1 ", "1\n", "true", "null", "0" * 20]),
)

REFUSED_VALUES: dict[str, list[Any]] = {
    "session_id": _NO_ID,
    "agent_id": _NO_ID,
    "multi_agent_id": _NO_ID,
    "message_id": [-1, 1.5, 1.0, "1", "", True, None, 2**63, 10**30, [], {}],
    "session_type": ["", "x" * 256, "a\x00", "\n", "\ud800", None, 1, False, [], {}],
    "multi_agent_state": _NO_OBJECT,
    "state": [*_NO_OBJECT, None],
    "conversation_manager_state": [*_NO_OBJECT, None],
    "internal_state": [*_NO_OBJECT, None],
    "message": [*_NO_OBJECT, None],
    "redact_message": _NO_OBJECT,
    "created_at": _NO_TIME,
    "updated_at": _NO_TIME,
}
_REFUSED_MESSAGES: list[tuple[dict[str, Any], set[str]]] = [
    ({"content": []}, {"message.role"}),
    ({"role": None, "content": []}, {"message.role"}),
    ({"role": 1, "content": []}, {"message.role"}),
    ({"role": ["user"], "content": []}, {"message.role"}),
    ({"role": "user"}, {"message.content"}),
    ({}, {"message.role", "message.content"}),
]
OPTIONAL = {"session_type", "multi_agent_state", "internal_state", "redact_message", "created_at", "updated_at"}

# Valid to look at, but no JSON or not to be kept: the text, and where in it the fault lies.
_REFUSED_TEXTS = [
    ("NaN", ""),
    ("Infinity", ""),
    ("-Infinity", ""),
    ("1e400", ""),
    ("-1e999", ""),
    ("9" * 4301, ""),
    ('{"a":1,"a":1}', ".a"),
    ('{"a":{"b":[],"c":0,"b":[]}}', ".a.b"),
    ('[0,{"k":NaN}]', ".1.k"),
]
_PLACEHOLDER = "here is the fault"


class Refused(NamedTuple):
    """The text of a body, and the paths that `details` must name."""

    text: str
    paths: set[str]


@st.composite
def refused_fields(draw: st.DrawFn, kind: str, *, creates: bool) -> Refused:
    """A good body in which some fields, at least one, got a value that they can't have, or went missing."""
    body = draw(bodies(kind))
    candidates = [*body, "created_at", "updated_at"] if creates else list(FIELDS[kind])
    if not creates:
        del body[f"{kind}_id"]
    faulty = draw(st.lists(st.sampled_from(candidates), min_size=1, max_size=3, unique=True))
    paths: set[str] = set()
    for field in faulty:
        paths |= draw(_break_field(body, field, may_go=creates and field not in OPTIONAL))
    return Refused(json.dumps(body), paths)


@st.composite
def _break_field(draw: st.DrawFn, body: dict[str, Any], field: str, *, may_go: bool) -> set[str]:
    if may_go and draw(st.booleans()):
        del body[field]
        return {field}
    if field == "message" and draw(st.booleans()):
        body[field], paths = draw(st.sampled_from(_REFUSED_MESSAGES))
        return paths
    body[field] = draw(st.sampled_from(REFUSED_VALUES[field]))
    return {field}


@st.composite
def refused_json(draw: st.DrawFn, kind: str) -> Refused:
    """A good body with something in one of its documents, at any depth, that can't be kept."""
    body = draw(bodies(kind))
    field = {"session": "multi_agent_state", "message": "message"}.get(kind, "state")
    text, below = draw(st.sampled_from(_REFUSED_TEXTS))
    value: Any = _PLACEHOLDER
    where = ""
    for step in draw(st.lists(st.sampled_from(["key", "role", "日本", 0, 1, 2]), max_size=5)):
        value = {step: value, "other": {}} if isinstance(step, str) else [*["other"] * step, value]
        where = f".{step}{where}"
    body[field] = {"role": "user", "content": [], "place": value}
    return Refused(json.dumps(body).replace(f'"{_PLACEHOLDER}"', text), {f"{field}.place{where}{below}"})


@st.composite
def refused_text(draw: st.DrawFn, kind: str) -> Refused:
    """What is no JSON object at all: cut short, followed by something, or another kind of value."""
    text = json.dumps(draw(bodies(kind)))
    end = draw(st.integers(0, len(text) - 1))
    others = ["[]", '"x"', "1", "null", "true", "{'a':1}", "[1,]", "// x\n{}", "[01]", "[+1]", "[0x10]", '{"a":"\n"}']
    return Refused(draw(st.sampled_from([text[:end], f"{text} {{}}", f"{text}]", *others])), {"body"})


def refused(kind: str) -> SearchStrategy[Refused]:
    """Any body that a POST must refuse."""
    return st.one_of(refused_fields(kind, creates=True), refused_json(kind), refused_text(kind))
