"""What the service's own Flask remembers of paths."""

from __future__ import annotations

from flask import Flask, request

PATH = "/api/v1/sessions/one/agents/two"


def test_a_path_leads_each_method_to_its_own_view(app: Flask) -> None:
    endpoints = []
    for method in ("GET", "DELETE", "GET", "DELETE"):
        with app.test_request_context(PATH, method=method):
            endpoints.append((request.method, request.endpoint, request.view_args))

    assert 2 == len({str(found) for found in endpoints})
    assert {"session_id": "one", "agent_id": "two"} == endpoints[0][2]


def test_what_one_request_does_to_its_arguments_no_other_sees(app: Flask) -> None:
    for _ in range(2):
        with app.test_request_context(PATH):
            assert "one" == request.view_args.pop("session_id")


def test_no_more_paths_are_remembered_than_fit(app: Flask) -> None:
    for number in range(2100):
        with app.test_request_context(f"/api/v1/sessions/{number}"):
            assert {"session_id": str(number)} == request.view_args

    assert 2048 == app.match.cache_info().currsize


def test_a_long_path_is_found_and_not_remembered(app: Flask) -> None:
    name = "x" * 8000
    before = app.match.cache_info().misses
    with app.test_request_context(f"/docs/assets/{name}"):
        assert {"name": name} == request.view_args

    assert before == app.match.cache_info().misses


def test_a_path_that_is_refused_is_refused_again(app: Flask) -> None:
    answers = [app.test_client().get(path) for path in 2 * ("/api/v1/sessions/ no-id", "/nowhere", "/api/v1/sessions")]

    assert [400, 404, 200, 400, 404, 200] == [answer.status_code for answer in answers]
