"""The status of every answer, against a model in memory that knows the contract and nothing else."""

from __future__ import annotations

from typing import Any, NamedTuple

from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from . import api
from .model import Model, Path

DOCUMENTS = st.sampled_from([{}, {"n": 1}, {"n": 1.0}])
MESSAGES = st.sampled_from([{"role": "user", "content": []}, {"role": "assistant", "content": [{"text": "Hi"}]}])
FIELDS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "session": {"session_type": st.sampled_from(["AGENT", "GRAPH"]), "multi_agent_state": st.none() | DOCUMENTS},
    "agent": {"state": DOCUMENTS, "conversation_manager_state": DOCUMENTS, "internal_state": DOCUMENTS},
    "message": {"message": MESSAGES, "redact_message": st.none() | DOCUMENTS},
    "multi_agent": {"state": DOCUMENTS},
}
DEFAULTS: dict[str, dict[str, Any]] = {
    "session": {"session_type": "AGENT", "multi_agent_state": None},
    "agent": {"internal_state": {}},
    "message": {"redact_message": None},
    "multi_agent": {},
}


AGENT, MULTI_AGENT = ("agents", "a"), ("multi-agents", "g")
GREETING = (*AGENT, "messages", 0)
# Mostly what is there at the beginning, or most steps would meet nothing.
BELOW: list[Path] = [(), AGENT, AGENT, GREETING, GREETING, GREETING, MULTI_AGENT, MULTI_AGENT]
BELOW += [(*AGENT, "messages", 1), ("agents", "b"), ("agents", "b", "messages", 0), ("multi-agents", "h")]


class Step(NamedTuple):
    verb: str
    session: str
    below: Path
    fields: dict[str, Any]
    condition: str | None


BEGINNING = [
    Step("create", "first", below, fields, None)
    for below, fields in (
        ((), {}),
        (AGENT, {"state": {}, "conversation_manager_state": {}}),
        (GREETING, {"message": {"role": "user", "content": []}}),
        (MULTI_AGENT, {"state": {}}),
    )
]


def kind_of(path: Path) -> str:
    return path[-2].replace("-", "_")[:-1] if len(path) > 1 else "session"


@st.composite
def steps(draw: st.DrawFn) -> Step:
    verb = draw(
        st.sampled_from(["create", "create", "refused", "read", "read", "list", "list", "update", "update", "delete"])
    )
    below = draw(st.sampled_from(BELOW))
    fields = FIELDS[kind_of(("session", *below))]
    creates = verb in ("create", "refused")
    required = fields.keys() - DEFAULTS[kind_of(("session", *below))].keys() if creates else set()
    body = draw(
        st.fixed_dictionaries(
            {name: fields[name] for name in fields if name in required},
            optional={name: fields[name] for name in fields if name not in required},
        )
    )
    condition = draw(st.sampled_from([None, None, "current", "current", "former", "any", "another"]))
    return Step(verb, draw(st.sampled_from(["first"] * 5 + ["second"])), below, body, condition)


@settings(max_examples=100)
@given(script=st.lists(steps(), min_size=10, max_size=20))
def test_property_10_status_codes(client: FlaskClient, script: list[Step]) -> None:
    """Feature: session-backend-api, Property 10: Status codes"""
    service = Checked(client)
    for step in [*BEGINNING, *script]:
        getattr(service, step.verb)(service.path(step), step)


class Checked:
    """Sends what a step says and holds the answer against the model."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.prefix = api.new_id()
        self.model = Model()
        self.fields: dict[Path, dict[str, Any]] = {}
        self.tags: dict[Path, list[str]] = {}  # all that a resource or a list ever had, the last one at the end
        self.listed: dict[Any, str] = {}  # the tag of a list by what was in it

    def path(self, step: Step) -> Path:
        return (f"{self.prefix}-{step.session}", *step.below)

    def create(self, path: Path, step: Step) -> None:
        taken, made = path in self.model.order, self.model.create(path)
        kind = kind_of(path)
        stored = {**DEFAULTS[kind], **step.fields}
        response = api.post(self.client, api.url(*path[:-1]), {f"{kind}_id": path[-1], **step.fields})

        if taken:
            same = _same(self.fields[path], stored)
            self._refused(response, 409, "ConflictError", {"resource": kind, "identical": same})
        elif not made:
            self._refused(response, 404, "NotFoundError", {"resource": kind_of(path[:-2])})
        else:
            assert 201 == response.status_code
            assert api.url(*path) == response.headers["Location"]
            self._keep(path, stored, response)

    def refused(self, path: Path, step: Step) -> None:
        """A body that is refused is refused whatever is there."""
        kind = kind_of(path)
        body = {f"{kind}_id": path[-1], **step.fields, "created_at": "soon"}
        response = api.post(self.client, api.url(*path[:-1]), body)

        assert (400, "ValidationError") == (response.status_code, api.parsed(response)["error"])
        assert ["created_at"] == list(api.parsed(response)["details"])

    def read(self, path: Path, step: Step) -> None:
        response = self.client.get(api.url(*path), headers=self._condition("If-None-Match", path, step))

        if path not in self.model.order:
            self._refused(response, 404, "NotFoundError", {"resource": kind_of(path)})
        elif step.condition in ("current", "any"):
            self._not_modified(response, self.tags[path][-1])
        else:
            self._found(response, path)

    def update(self, path: Path, step: Step) -> None:
        condition = self._condition("If-Match", path, step)
        response = api.put(self.client, api.url(*path), step.fields, condition)

        if path not in self.model.order:
            self._refused(response, 404, "NotFoundError", {"resource": kind_of(path)})
        elif step.condition in ("former", "another"):
            self._refused(response, 412, "PreconditionFailed", None)
        else:
            self._keep(path, {**self.fields[path], **step.fields}, response)

    def delete(self, path: Path, step: Step) -> None:
        response = self.client.delete(api.url(*path), headers=self._condition("If-Match", path, step))

        if path not in self.model.order:
            self._refused(response, 404, "NotFoundError", {"resource": kind_of(path)})
        elif step.condition in ("former", "another"):
            self._refused(response, 412, "PreconditionFailed", None)
        else:
            assert (204, b"") == (response.status_code, response.get_data())
            for gone in self.model.delete(path):
                del self.fields[gone]

    def list(self, path: Path, step: Step) -> None:
        """The list that the path is, or would be, part of."""
        collection = path[:-1]
        if collection:
            order, query = self.model.children(*collection), {}
        else:
            order, query = [each for each in self.model.order if len(each) == 1], {"prefix": self.prefix}
        if kind_of(path) == "message":
            order = sorted(order)
        now = (collection, tuple((each, self.tags[each][-1]) for each in order))
        tag = self.listed.get(now)
        condition = self._condition("If-None-Match", collection, step)
        response = self.client.get(api.url(*collection), query_string=query, headers=condition)

        if path[:-2] and path[:-2] not in self.model.order:
            self._refused(response, 404, "NotFoundError", {"resource": kind_of(path[:-2])})
        elif condition and (step.condition == "any" or (tag and tag in condition["If-None-Match"])):
            self._not_modified(response, tag or response.headers["ETag"])
        else:
            rows = api.parsed(response)[api.COLLECTIONS[kind_of(path)]]
            assert 200 == response.status_code
            assert [each[-1] for each in order] == [row[f"{kind_of(path)}_id"] for row in rows]
            assert (tag is None) == (response.headers["ETag"] not in self.tags.get(collection, []))
            assert (tag or response.headers["ETag"]) == response.headers["ETag"]
            self.listed[now] = response.headers["ETag"]
            self.tags.setdefault(collection, []).append(response.headers["ETag"])

    def _condition(self, header: str, path: Path, step: Step) -> dict[str, str]:
        """The header for the step's condition; none where there never was a tag to name."""
        tags = self.tags.get(path, [])
        if step.condition == "current" and tags:
            return {header: f'"another", {tags[-1]}'}
        if step.condition in ("former", "another"):
            return {header: tags[0] if step.condition == "former" and len(tags) > 1 else '"another"'}
        return {header: "*"} if step.condition == "any" else {}

    def _keep(self, path: Path, fields: dict[str, Any], response: TestResponse) -> None:
        self.fields[path] = fields
        self.tags.setdefault(path, []).append(response.headers["ETag"])
        assert len(self.tags[path]) == len(set(self.tags[path]))
        if response.status_code != 201:
            self._found(response, path)

    def _found(self, response: TestResponse, path: Path) -> None:
        assert 200 == response.status_code
        assert self.tags[path][-1] == response.headers["ETag"]
        fields, got = self.fields[path], api.parsed(response)
        assert api.exact(path[-1]) == api.exact(got[f"{kind_of(path)}_id"])
        assert _same(fields, {name: got[name] for name in fields})

    def _not_modified(self, response: TestResponse, tag: str) -> None:
        assert (304, b"") == (response.status_code, response.get_data())
        assert tag == response.headers["ETag"]

    def _refused(self, response: TestResponse, status: int, error: str, details: Any) -> None:
        body = api.parsed(response)
        assert (status, error, details) == (response.status_code, body["error"], body["details"])
        assert response.headers["X-Request-ID"] == body["request_id"]


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return {name: api.exact(value) for name, value in one.items()} == {
        name: api.exact(value) for name, value in other.items()
    }
