"""/openapi.json tells the truth, the whole truth, and shows it; /docs and /redoc load nothing from elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime, timezone
from html.parser import HTMLParser
from typing import Any

import pytest
import requests
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import assume, settings
from jsonschema import Draft202012Validator, FormatChecker
from schemathesis import CheckFunction
from schemathesis.specs.openapi.checks import positive_data_acceptance

from session_api import create_app, key_text
from session_api.key_table import ApiKey
from session_api.store import api_keys

from . import places
from .conftest import KEYED, bearer, keyed, make_settings
from .places import Family

# Nothing connects to a database in order to be described.
DOCUMENT = create_app(keyed("postgresql://localhost/none")).test_client().get("/openapi.json").get_json()
# A condition that is not met is no fault of the request, as little as a missing or a taken id.
_ACCEPTED = {"positive_data_acceptance": {"expected-statuses": ["2xx", "304", "404", "409", "412"]}}
_CONFIG = {"seed": 1, "checks": _ACCEPTED}
API = schemathesis.openapi.from_dict(DOCUMENT, config=schemathesis.Config.from_dict(_CONFIG))
BELOW = schemathesis.openapi.from_dict(
    DOCUMENT, config=schemathesis.Config.from_dict({**_CONFIG, "generation": {"mode": "positive"}})
).include(path_regex="{")
# Requests are made while tests are collected; what makes it a key comes with the service.
KEY = key_text.new()


@API.auth(refresh_interval=None)
@BELOW.auth(refresh_interval=None)
class Holder:
    """Sends the key of this run; what Schemathesis makes up instead, and nothing at all, must be refused."""

    def get(self, case: schemathesis.Case, context: schemathesis.AuthContext) -> str:
        return KEY

    def set(self, case: schemathesis.Case, data: str, context: schemathesis.AuthContext) -> None:
        case.headers = {**(case.headers or {}), **bearer(data)}


@pytest.fixture(scope="module")
def live_url(keyed_url: str, keyed_app: Flask) -> str:
    """The service that asks for keys, and knows this one."""
    key = ApiKey(key_text.new_id(), "default", "test", ["read", "write", "delete"], datetime.now(timezone.utc))
    hash = key_text.digest(KEY, KEYED["API_KEY_SECRET"])
    keyed_app.extensions["session_api_database"].run(api_keys.create, key, hash)
    return keyed_url


OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method in ("get", "put", "post", "delete")
}
RESOURCES = [name for name in OPERATIONS if " /api/" in name]


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    """What a $ref names, or the part itself."""
    while "$ref" in part:
        target = DOCUMENT
        for name in part["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        part = target
    return part


def assert_valid(value: Any, schema: dict[str, Any]) -> None:
    within_document = {**schema, "components": DOCUMENT["components"]}
    Draft202012Validator(within_document, format_checker=FormatChecker()).validate(value)


def content(body: dict[str, Any]) -> dict[str, Any]:
    """The one media type of a body: application/json."""
    assert ["application/json"] == list(body["content"])
    return body["content"]["application/json"]


# Whatever Schemathesis makes of the document, valid and not: no 500, no answer that is not documented.


@pytest.fixture(scope="module")
def http() -> Iterator[requests.Session]:
    with requests.Session() as http:
        yield http


@pytest.fixture(scope="module")
def family(app: Flask) -> Family:
    return places.new_family(app.test_client())


@API.parametrize()
@settings(max_examples=15, derandomize=True)
def test_every_request_gets_a_documented_answer(case: schemathesis.Case, live_url: str, http: requests.Session) -> None:
    assume(not beyond_a_document(case))
    response = case.call(live_url, session=http, timeout=10)

    case.validate_response(response, excluded_checks=excluded(response))


@BELOW.parametrize()
@settings(max_examples=15, derandomize=True)
def test_every_valid_request_to_what_exists_is_accepted(
    case: schemathesis.Case, app: Flask, live_url: str, http: requests.Session, family: Family
) -> None:
    assume(not beyond_a_document(case))
    session_id = family.session_id if case.method != "DELETE" else places.new_family(app.test_client()).session_id
    known = {"session_id": session_id, "agent_id": "assistant", "message_id": 0, "multi_agent_id": "graph"}
    case.path_parameters = {name: known[name] for name in case.path_parameters or {}}
    response = case.call(live_url, session=http, timeout=10)

    assert 404 != response.status_code
    case.validate_response(response, excluded_checks=excluded(response))


def excluded(response: schemathesis.Response) -> list[CheckFunction]:
    """That one parameter excludes another, or must be the cursor of a page before, can't be said in a document."""
    unspeakable = response.status_code == 400 and response.json()["details"].keys() <= {"page", "after"}
    return [positive_data_acceptance] if unspeakable else []


def beyond_a_document(case: schemathesis.Case) -> bool:
    """Whether a request is refused, or accepted, by a rule that OpenAPI has no words for."""
    body = case.body if isinstance(case.body, dict) else {}
    return (
        "" in (body.get("created_at"), body.get("updated_at"))  # no time by its format, and allowed all the same
        or isinstance(body.get("message_id"), float)  # 1.0 is an integer to JSON Schema, but not to the service
        or "0" == (case.headers or {}).get("If-Match")  # Schemathesis takes it for a list of entity tags
    )


# The document is whole.


def test_it_is_a_valid_openapi_3_1_document() -> None:
    API.validate()

    assert DOCUMENT["openapi"].startswith("3.1.")
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_route_is_in_it(app: Flask) -> None:
    routes = {
        (method, re.sub("<(?:[a-z_]+:)?([a-z_]+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.rule.startswith(("/api/", "/health"))
    }

    assert {f"{method} {path}" for method, path in routes} == set(OPERATIONS)


def test_everything_in_it_is_used() -> None:
    text = json.dumps(DOCUMENT)
    schemes = {name for operation in OPERATIONS.values() for scheme in operation["security"] for name in scheme}

    assert schemes == DOCUMENT["components"]["securitySchemes"].keys()
    assert [] == [
        f"{kind}/{name}"
        for kind, components in DOCUMENT["components"].items()
        for name in components
        if f'"#/components/{kind}/{name}"' not in text and kind != "securitySchemes"
    ]


OPEN = {"/health/live", "/health/ready"}


def statuses(operation: str) -> set[str]:
    """What an operation can answer, by the contract."""
    method, path = operation.split(" ")
    if path.startswith("/health"):
        return (
            {"200", "500"} | ({"503"} if path != "/health/live" else set()) | ({"401"} if path not in OPEN else set())
        )
    of_one_row = path.endswith("}")
    has_parent = path.count("{") > of_one_row
    always = {"400", "401", "403", "406", "429", "500", "503"} | ({"404"} if of_one_row or has_parent else set())
    return (
        always
        | {
            "GET": {"200", "304"} | ({"226"} if not of_one_row else set()),
            "POST": {"201", "408", "409", "413", "415"},
            "PUT": {"200", "408", "412", "413", "415"},
            "DELETE": {"204", "412"},
        }[method]
    )


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_has_all_its_answers_and_says_what_it_does(operation: str) -> None:
    described = OPERATIONS[operation]

    assert statuses(operation) == set(described["responses"])
    assert described["summary"].endswith(".")
    assert set(described["tags"]) <= {tag["name"] for tag in DOCUMENT["tags"]}
    assert all(resolved(response)["description"] for response in described["responses"].values())


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_says_which_key_it_needs(operation: str) -> None:
    method, path = operation.split(" ")
    scope = {"GET": "read", "POST": "write", "PUT": "write", "DELETE": "delete"}[method]
    scopes = [scope] if path.startswith("/api/") else []
    expected = [] if path in OPEN else [{"bearer": scopes}, {"header": scopes}]

    assert expected == OPERATIONS[operation]["security"]


def test_where_no_key_is_asked_for_the_document_says_so() -> None:
    document = create_app(make_settings("postgresql://localhost/none")).test_client().get("/openapi.json").get_json()
    operation = document["paths"]["/api/v1/sessions"]["post"]

    assert [{"bearer": ["write"]}, {"header": ["write"]}, {}] == operation["security"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_body_has_an_example_that_its_schema_allows(operation: str) -> None:
    bodies = {status: resolved(response) for status, response in OPERATIONS[operation]["responses"].items()}
    if operation.startswith(("POST", "PUT")):
        bodies["request"] = OPERATIONS[operation]["requestBody"]

    assert {"204", "304"} >= {name for name, body in bodies.items() if "content" not in body}
    for name in bodies.keys() - {"204", "304"}:
        body = content(bodies[name])
        assert_valid(body["example"], body["schema"])


@pytest.mark.parametrize("operation", RESOURCES)
def test_errors_are_documented_in_the_one_shape_with_an_example_of_their_own(operation: str) -> None:
    responses = OPERATIONS[operation]["responses"]
    errors = {status: content(resolved(responses[status])) for status in responses if status >= "400"}

    assert {"#/components/schemas/Error"} == {body["schema"]["$ref"] for body in errors.values()}
    assert len(errors) == len({body["example"]["error"] for body in errors.values()})


PAGING = {"limit", "offset", "page", "page_size", "after", "max_bytes", "order", "total"}
FILTERS = {"prefix", "created_after", "created_before", "updated_after", "updated_before"}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_has_all_its_parameters(operation: str) -> None:
    method, path = operation.split(" ")
    given = [*OPERATIONS[operation].get("parameters", []), *DOCUMENT["paths"][path].get("parameters", [])]
    is_list = method == "GET" and path.startswith("/api/") and not path.endswith("}")
    read = {"If-None-Match", "A-IM"} if is_list else {"If-None-Match"}
    condition = {"GET": read, "PUT": {"If-Match"}, "DELETE": {"If-Match"}}.get(method, set())

    assert set(re.findall("{([a-z_]+)}", path)) == {part["name"] for part in given if part["in"] == "path"}
    assert (condition if path.startswith("/api/") else set()) == {
        part["name"] for part in given if part["in"] == "header"
    }
    assert ((PAGING if is_list else set()) | (FILTERS if is_list and path.endswith("/sessions") else set())) == {
        part["name"] for part in given if part["in"] == "query"
    }


@pytest.mark.parametrize("operation", RESOURCES)
def test_trying_an_operation_out_sends_no_condition_that_nobody_typed(operation: str) -> None:
    """Swagger UI fills examples and defaults of parameters into its form: each PUT and DELETE would be a 412."""
    headers = [part for part in OPERATIONS[operation].get("parameters", []) if part["in"] == "header"]

    assert [] == [part["name"] for part in headers if {"example", "examples"} & part.keys()]
    assert [] == [part["name"] for part in headers if {"example", "examples", "default"} & part["schema"].keys()]


# What it shows is what happens.


def test_its_examples_are_accepted_and_answered_as_shown(live_url: str, empty: None) -> None:
    ids: dict[str, str] = {}
    order = {"post": 0, "get": 1, "put": 2, "delete": 3}
    paths = sorted(path for path in DOCUMENT["paths"] if path.startswith("/api/"))
    steps = [(method, path) for method in order for path in (paths if method != "delete" else paths[::-1])]
    for method, path in steps:
        if f"{method.upper()} {path}" not in OPERATIONS:
            continue
        operation = OPERATIONS[f"{method.upper()} {path}"]
        body = content(operation["requestBody"])["example"] if "requestBody" in operation else None
        ids |= {name: value for name, value in (body or {}).items() if name.endswith("_id")}
        response = requests.request(method, live_url + path.format(**ids), json=body, headers=bearer(KEY), timeout=10)
        success = next(status for status in operation["responses"] if status < "300")

        assert success == str(response.status_code), (method, path, response.text)
        if method in ("post", "get") and response.content:
            shown = content(operation["responses"][success])
            assert_valid(response.json(), shown["schema"])
            assert without_times(shown["example"]) == without_times(response.json())


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_times(item) for name, item in value.items() if not name.endswith("_at")}
    return [without_times(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("path", [path for path in DOCUMENT["paths"] if path.startswith("/health")])
def test_health_is_answered_as_shown(live_url: str, path: str) -> None:
    shown = content(OPERATIONS[f"GET {path}"]["responses"]["200"])
    response = requests.get(live_url + path, headers=bearer(KEY), timeout=10)

    assert_valid(response.json(), shown["schema"])
    assert skeleton(shown["example"]) == skeleton(response.json())
    assert shown["example"]["status"] == response.json()["status"]


def skeleton(value: Any) -> Any:
    return {name: skeleton(item) for name, item in value.items()} if isinstance(value, dict) else type(value)


# The pages.


class References(HTMLParser):
    """What a page makes a browser fetch or run."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.urls: list[str] = []
        self.inline_scripts = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.urls += [value or "" for name, value in attributes if name in ("src", "href", "data-url", "spec-url")]
        self.inline_scripts += tag == "script" and "src" not in dict(attributes)


CONTENT_TYPES = {"css": "text/css", "js": "text/javascript", "json": "application/json", "png": "image/png"}


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_a_page_loads_only_what_this_service_serves(live_url: str, page: str) -> None:
    answer = requests.get(live_url + page, timeout=10)
    references = References(answer.text)

    assert (200, "text/html; charset=utf-8") == (answer.status_code, answer.headers["Content-Type"])
    assert "/openapi.json" in references.urls
    assert 0 == references.inline_scripts
    for url in references.urls:
        assert re.match(r"/[^/]", url)
        asset = requests.get(live_url + url, timeout=10)
        assert 200 == asset.status_code
        assert CONTENT_TYPES[url.rpartition(".")[2]] == asset.headers["Content-Type"].partition(";")[0]


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_a_page_lets_a_browser_load_from_nowhere_else(client: FlaskClient, page: str) -> None:
    policy = dict(part.strip().split(" ", 1) for part in client.get(page).headers["Content-Security-Policy"].split(";"))

    assert "'self'" == policy["default-src"]
    assert [] == [source for sources in policy.values() for source in sources.split() if "." in source or "*" in source]


def test_redoc_finds_its_makers_logo_here(client: FlaskClient) -> None:
    script = client.get("/docs/assets/redoc.standalone.js").text
    logos = set(re.findall(r"[\w./:]*/logo-mini[\w-]*\.svg", script))

    assert {"/docs/assets/logo-mini.svg"} == logos
    assert ["image/svg+xml; charset=utf-8"] == [client.get(logo).headers["Content-Type"] for logo in logos]


@pytest.mark.parametrize("name", ["redoc.standalone.js", "swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"])
def test_assets_may_be_kept_and_are_asked_for_again_by_their_etag(client: FlaskClient, name: str) -> None:
    asset = client.get(f"/docs/assets/{name}")
    again = client.get(f"/docs/assets/{name}", headers={"If-None-Match": asset.headers["ETag"]})

    assert (200, True) == (asset.status_code, "max-age" in asset.headers["Cache-Control"])
    assert (304, b"") == (again.status_code, again.data)
