"""Every place in a request where a document may stand, and where it is read again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

from flask.testing import FlaskClient

from .conftest import AGENT, HELLO, new_id

_MESSAGE = '{"role":"user","content":[]}'
_message_ids = count(1000)

# Documents of each resource as they are in a POST; None for those that need not be sent.
DOCUMENTS: dict[str, dict[str, str | None]] = {
    "session": {"multi_agent_state": None},
    "agent": {"state": "{}", "conversation_manager_state": "{}", "internal_state": None},
    "message": {"message": _MESSAGE, "redact_message": None},
    "multi_agent": {"state": "{}"},
}
# As the SDK calls it; a second name for the same document.
ALIASES = {"_internal_state": "internal_state"}


class Family(NamedTuple):
    """A session with an agent, a message and a multi-agent."""

    session_id: str

    def collection(self, resource: str) -> str:
        session = f"/api/v1/sessions/{self.session_id}"
        return {
            "session": "/api/v1/sessions",
            "agent": f"{session}/agents",
            "message": f"{session}/agents/assistant/messages",
            "multi_agent": f"{session}/multi-agents",
        }[resource]

    def member_id(self, resource: str) -> str | int:
        return {"session": self.session_id, "agent": "assistant", "message": 0, "multi_agent": "graph"}[resource]

    def member(self, resource: str) -> str:
        return f"{self.collection(resource)}/{self.member_id(resource)}"

    def listing(self, resource: str) -> str:
        """The list that the resource's rows of this family stand in."""
        return self.collection(resource) + (f"?prefix={self.session_id}" if resource == "session" else "")


def new_family(client: FlaskClient) -> Family:
    family = Family(new_id())
    bodies = {
        "session": {"session_id": family.session_id},
        "agent": AGENT,
        "message": HELLO,
        "multi_agent": {"multi_agent_id": "graph", "state": {}},
    }
    for resource, body in bodies.items():
        assert 201 == client.post(family.collection(resource), json=body).status_code
    return family


class Write(NamedTuple):
    """A request, the URL that the row then has and the list that it then stands in."""

    method: str
    url: str
    body: str
    member: str
    listing: str


@dataclass(frozen=True)
class Place:
    """A document's field in the body of a POST or a PUT."""

    method: str
    resource: str
    field: str

    def __str__(self) -> str:
        return f"{self.method} {self.resource}.{self.field}"

    @property
    def field_of_answer(self) -> str:
        return ALIASES.get(self.field, self.field)

    def write(self, family: Family, document: str) -> Write:
        """The request that puts this JSON text here: a POST of a new row, or a PUT of the family's own."""
        return write(self.method, self.resource, family, {self.field: document})


def write(method: str, resource: str, family: Family, fields: Mapping[str, str]) -> Write:
    """A request that is valid but for what the fields, JSON texts, may spoil."""
    collection = family.collection(resource)
    if method == "PUT":
        return Write("PUT", family.member(resource), text(fields), family.member(resource), family.listing(resource))
    own = f"{family.session_id}-{new_id()}" if resource == "session" else new_id(resource)
    member_id = next(_message_ids) if resource == "message" else own
    given = set(fields) | {ALIASES.get(name) for name in fields}
    documents = {name: value for name, value in DOCUMENTS[resource].items() if value and name not in given}
    body = text({f"{resource}_id": json.dumps(member_id), **documents, **fields})
    return Write("POST", collection, body, f"{collection}/{member_id}", family.listing(resource))


def text(fields: Mapping[str, str]) -> str:
    return "{" + ",".join(f'"{name}":{value}' for name, value in fields.items()) + "}"


def inside(value: str) -> str:
    """A document with this JSON text under "x": one that a message may be, too."""
    return f'{{"role":"user","content":[],"x":{value}}}'


WRITES = [(method, resource) for resource in DOCUMENTS for method in ("POST", "PUT")]
PLACES = [
    Place(method, resource, field)
    for resource, documents in DOCUMENTS.items()
    for field in [*documents, *(alias for alias, name in ALIASES.items() if name in documents)]
    for method in ("POST", "PUT")
]
