"""Secrets and contents go in marked, wherever they can and whatever fails; the marks come out nowhere."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import uuid
from typing import NamedTuple

import flask_migrate
import psycopg2
import pytest
from sqlalchemy.engine import URL, make_url

from session_api import create_app

from .conftest import AGENT, ROOT, environment, free_port, issue, make_settings, wait_until_ready
from .wire import Answer, request, send

MARK = "canary"


def marked(name: str) -> str:
    return f"{MARK}-{name}-{uuid.uuid4().hex[:8]}"


# What nobody may ever see, but those who set it. A wrong key is as secret as a right one: it may be right elsewhere.
PASSWORD, SECRET, WRONG_KEY = marked("password"), marked("secret") + "x" * 32, f"sk_{MARK}{'x' * 43}"
# What only the answer to a read may hold.
TEXT, STATE = marked("text"), marked("state")
LONG_ID = f"{marked('id')}{'x' * 300}"
SENT = {
    "Cookie": f"session={marked('cookie')}",
    "X_Request_ID": f"{marked('request id')} {MARK}",
    "User_Agent": marked("agent"),
    "Referer": f"https://{marked('referer')}.example",
    "X_Forwarded_For": marked("forwarded"),
    "Origin": f"https://{marked('origin')}.example",
}
QUERY = f"token={marked('query')}"
MESSAGE = {"message_id": 0, "message": {"role": "user", "content": [{"text": TEXT}]}}


class House(NamedTuple):
    """A database with a password of its own, behind a running service that logs all it can."""

    url: str
    database: str
    key: str
    other_key: str  # which may read only

    def ask(self, method: str, target: str, document: object = "", **headers: str | None) -> Answer:
        """The answer to a request that carries marks in its query and headers, and the document."""
        body = document if isinstance(document, str) else json.dumps(document)
        target = f"{target}{'&' if '?' in target else '?'}{QUERY}"
        sent = {**SENT, "Authorization": f"Bearer {self.key}", "X_API_Key": self.key, **headers}
        return send(self.url, request(method, target, body, **sent))

    def sabotage(self, *statements: str) -> None:
        run(self.database, *statements)


class Story(NamedTuple):
    """What came out: the answers by what was done, and the log from start to stop."""

    answers: dict[str, Answer]
    log: str
    secrets: tuple[str, ...]

    def marks(self, text: str) -> list[str]:
        """Which marks a text holds, and which secrets that bear none."""
        return [mark for mark in (MARK, *self.secrets) if mark.lower() in text.lower()]


def run(url: str, *statements: str) -> None:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    for statement in statements:
        connection.cursor().execute(statement)
    connection.close()


@pytest.fixture(scope="module", params=["json", "text"])
def story(request: pytest.FixtureRequest, server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Story:
    server = make_url(server_url).set(drivername="postgresql")
    name = f"watched_{uuid.uuid4().hex[:12]}"
    run(text(server), f"CREATE DATABASE {name}")
    # The embedded server asks for no password, so it may be any; that of another one is a mark by itself.
    database = server.set(database=name, password=server.password or PASSWORD)
    app = create_app(make_settings(text(database.set(drivername="postgresql+psycopg2"))))
    with app.app_context():
        flask_migrate.upgrade()
    keys = issue(app, ["read", "write", "delete"], secret=SECRET), issue(app, ["read"], secret=SECRET)
    app.extensions["session_api_database"].dispose()
    log = tmp_path_factory.mktemp("canary") / "log"
    port = str(free_port())
    settings = {
        "DATABASE_URL": text(database),
        "AUTH_MODE": "keys",
        "API_KEY_SECRET": SECRET,
        "RATE_LIMIT": "10000/second",
        "RATE_LIMIT_STORAGE_URL": f"redis://:{PASSWORD}@127.0.0.1:1/0",
        "RETRY_ATTEMPTS": "1",
        "LOG_LEVEL": "DEBUG",
        "LOG_FORMAT": request.param,
    }
    with log.open("w") as output:
        gunicorn = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "wsgi:app"],
            cwd=ROOT,
            env=environment(**settings, API_PORT=port),
            stdout=output,
            stderr=output,
        )
    house = House(f"http://127.0.0.1:{port}", text(database), *keys)
    try:
        wait_until_ready(house.url, gunicorn, log)
        answers = {**everyday(house), **refused(house), **broken(house)}
    finally:
        gunicorn.send_signal(signal.SIGTERM)
        gunicorn.wait(30)
        run(text(server), f"DROP DATABASE {name} WITH (FORCE)")
    return Story(answers, log.read_text(), (*keys, str(database.password)))


def text(url: URL) -> str:
    return url.render_as_string(hide_password=False)


SESSIONS = "/api/v1/sessions"
SESSION = f"{SESSIONS}/{marked('session')}"
AGENTS = f"{SESSION}/agents"
MESSAGES = f"{AGENTS}/assistant/messages"


def everyday(house: House) -> dict[str, Answer]:
    """What succeeds."""
    session = {"session_id": SESSION.rpartition("/")[2], "multi_agent_state": {"x": STATE}}
    answers = {
        "201 session": house.ask("POST", SESSIONS, session),
        "201 agent": house.ask("POST", AGENTS, {**AGENT, "state": {"x": STATE}}),
        "201 message": house.ask("POST", MESSAGES, MESSAGE),
        "200 message": house.ask("GET", f"{MESSAGES}/0"),
        "200 list": house.ask("GET", MESSAGES),
        "200 put": house.ask("PUT", f"{MESSAGES}/0", {"redact_message": {"role": "user", "content": [{"text": TEXT}]}}),
        "200 live": house.ask("GET", "/health/live"),
        "200 ready": house.ask("GET", "/health/ready"),
        "200 database": house.ask("GET", "/health/db"),
        "200 document": house.ask("GET", "/openapi.json"),
    }
    etag = answers["200 put"].headers["ETag"]
    return {**answers, "304 message": house.ask("GET", f"{MESSAGES}/0", If_None_Match=etag)}


def refused(house: House) -> dict[str, Answer]:
    """What the service, or gunicorn before it, refuses."""
    broken = json.dumps({**MESSAGE, "message_id": 1})
    answers = {
        "409 message": house.ask("POST", MESSAGES, {**MESSAGE, "created_at": "2020-01-01T00:00:00Z"}),
        "401 wrong key": house.ask("GET", SESSION, Authorization=f"Bearer {WRONG_KEY}", X_API_Key=WRONG_KEY),
        "401 two keys": house.ask("GET", SESSION, X_API_Key=house.other_key),
        "401 other scheme": house.ask("GET", SESSION, Authorization=f"Basic {house.key}"),
        "401 key in the URL": house.ask("GET", f"{SESSION}?api_key={house.key}", Authorization=None, X_API_Key=None),
        "403 scope": house.ask("POST", MESSAGES, MESSAGE, Authorization=f"Bearer {house.other_key}", X_API_Key=None),
        "404 parent": house.ask("POST", f"{SESSION}/agents/none/messages", MESSAGE),
        "404 route": house.ask("GET", f"/{marked('route')}"),
        "405 method": house.ask("CANARY", SESSION),
        "406 accept": house.ask("GET", SESSION, Accept=f"text/{marked('accept')}"),
        "412 version": house.ask("DELETE", SESSION, If_Match=f'"{marked("version")}"'),
        "413 body": house.ask("POST", SESSIONS, json.dumps({"x": TEXT * 1_000_000})),
        "415 type": house.ask("POST", SESSIONS, TEXT, Content_Type=f"text/{marked('type')}"),
        "400 state": house.ask("POST", AGENTS, {**AGENT, "state": STATE}),
        "400 NaN": house.ask("POST", MESSAGES, broken.replace(f'"{TEXT}"', f'["{TEXT}", NaN]')),
        "400 no JSON": house.ask("POST", MESSAGES, broken[:-1]),
        "400 twice": house.ask("POST", MESSAGES, broken.replace('"role"', f'"x": "{TEXT}", "x": 1, "role"')),
        "400 role": house.ask("POST", MESSAGES, {**MESSAGE, "message": {"role": {"x": TEXT}}}),
        "400 long id": house.ask("POST", SESSIONS, {"session_id": LONG_ID}),
        "400 long id in a path": house.ask("GET", f"{SESSIONS}/{LONG_ID}"),
        "400 slash": house.ask("GET", f"{SESSIONS}/{MARK}%2F{MARK}"),
        "400 condition": house.ask("PUT", SESSION, {}, If_Match=marked("condition")),
        "400 limit": house.ask("GET", f"{SESSIONS}?limit={marked('limit')}"),
        "400 cursor": house.ask("GET", f"{SESSIONS}?after={marked('cursor')}"),
        "400 time": house.ask("POST", SESSIONS, {"session_id": "s", "created_at": marked("time")}),
        "400 header name": house.ask("GET", SESSION, **{f"Authorization {MARK}": house.key}),
        "400 header": house.ask("GET", SESSION, X=f"{house.key}\x00"),
        "400 folded header": house.ask("GET", SESSION, X=f"a\r\n {house.key}"),
        "400 request id": house.ask("GET", f"{SESSIONS}?limit=x", X_Request_ID=house.key),
        "400 length": house.ask("POST", MESSAGES, broken, Content_Length=marked("length")),
    }
    post = f"POST {MESSAGES} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {house.key}\r\n"
    post += "Content-Type: application/json\r\n"
    raw = {
        "400 request line": f"GET /{house.key} HTTP/9.9\r\nHost: a\r\n\r\n",
        "400 no HTTP": f"{house.key} {TEXT}\r\n\r\n",
        "400 chunk": f"{post}Transfer-Encoding: chunked\r\n\r\n{TEXT}\r\n{TEXT}\r\n0\r\n\r\n",
        "400 cut short": f"{post}Content-Length: 1000\r\n\r\n{broken}",
        "414 line": f"GET /{house.key * 1000} HTTP/1.1\r\nHost: a\r\n\r\n",
        "431 headers": f"GET / HTTP/1.1\r\nHost: a\r\nCookie: {house.key * 1000}\r\n\r\n",
        "501 coding": f"POST {MESSAGES} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: {MARK}\r\n\r\n",
    }
    return answers | {name: send(house.url, data.encode(), and_stop=True) for name, data in raw.items()}


def broken(house: House) -> dict[str, Answer]:
    """What the database refuses, quoting what it was sent; then there is none."""
    answers = {}

    def sabotaged(name: str, method: str, target: str, document: object, *statements: str) -> None:
        house.sabotage(*statements)
        answers[name] = house.ask(method, target, document)

    new = {**MESSAGE, "message_id": 2}
    check = "ALTER TABLE session_messages {} CONSTRAINT defect {}"
    sabotaged("500 check", "POST", MESSAGES, new, check.format("ADD", "CHECK (message IS NULL) NOT VALID"))
    raising = (
        "CREATE FUNCTION defect() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '%', NEW.message USING DETAIL = NEW.message, HINT = NEW.message; END $$",
        "CREATE TRIGGER defect BEFORE INSERT ON session_messages FOR EACH ROW EXECUTE FUNCTION defect()",
    )
    sabotaged("500 raised", "POST", MESSAGES, new, check.format("DROP", ""), *raising)
    other_type = "ALTER TABLE sessions ALTER multi_agent_state TYPE {} USING NULL"
    change = {"multi_agent_state": {"x": STATE}}
    sabotaged("500 other type", "PUT", SESSION, change, other_type.format("integer"))
    renamed = "ALTER TABLE session_agents RENAME state TO elsewhere"
    sabotaged("503 no column", "PUT", f"{AGENTS}/assistant", {"state": {"x": STATE}}, renamed)
    sabotaged("503 no table", "POST", MESSAGES, new, "ALTER TABLE session_messages RENAME TO elsewhere")
    answers["200 metrics"] = house.ask("GET", "/metrics")
    name = make_url(house.database).database
    closed = house.database.replace(f"/{name}", "/postgres")
    run(closed, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    run(closed, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    answers["503 closed"] = house.ask("POST", SESSIONS, {"session_id": "s", **change})
    answers["503 ready"] = house.ask("GET", "/health/ready")
    return answers


def test_everything_that_was_to_happen_has_happened(story: Story) -> None:
    assert {name: int(name.split()[0]) for name in story.answers} == {
        name: answer.status for name, answer in story.answers.items()
    }


def test_no_answer_holds_a_mark_but_for_what_was_stored(story: Story) -> None:
    own = {SESSION.rpartition("/")[2]}
    for name, answer in story.answers.items():
        told = f"{answer.headers}{answer.body.decode()}"
        allowed = own | ({TEXT, STATE} if answer.status < 300 else set())
        for mark in allowed:
            told = told.replace(mark, "")

        assert [] == story.marks(told), name


def test_what_was_stored_is_read_again(story: Story) -> None:
    assert TEXT in story.answers["200 message"].body.decode()
    assert f'"{TEXT}"' in story.answers["200 list"].body.decode()


def test_no_line_of_the_log_holds_a_mark(story: Story) -> None:
    assert [] == [line for line in story.log.splitlines() if story.marks(line)]
    assert len(story.log.splitlines()) > len(story.answers)


@pytest.mark.parametrize("story", ["json"], indirect=True)
def test_every_line_is_one_json_object_from_start_to_stop_and_names_the_cause_of_a_failure(story: Story) -> None:
    lines = [json.loads(line) for line in story.log.splitlines()]

    assert all({"timestamp", "level", "message"} <= line.keys() for line in lines)
    assert {"CheckViolation 23514 defect", "RaiseException P0001", "DatatypeMismatch 42804"} <= {
        cause for line in lines for cause in line.get("cause", "").split(" < ")
    }


# Before there is a service


INVALID = {
    "DATABASE_URL": f"postgresql://user:{PASSWORD}@host",
    "AUTH_MODE": WRONG_KEY,
    "API_KEY_SECRET": f"{SECRET},{MARK}",
    "API_PORT": WRONG_KEY,
    "LOG_LEVEL": WRONG_KEY,
    "RATE_LIMIT_STORAGE_URL": f"https://:{PASSWORD}@host",
    "CORS_ORIGINS": f"https://user:{PASSWORD}@app.example",
}
COMMANDS = {
    "gunicorn": ["gunicorn", "wsgi:app"],
    "flask": ["flask", "db", "upgrade"],
    "serve": ["session_api.cli", "serve"],
}


def output(command: str, **settings: str) -> tuple[int, str]:
    ended = subprocess.run(
        [sys.executable, "-m", *COMMANDS[command]],
        cwd=ROOT,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=60,
    )
    return ended.returncode, ended.stdout + ended.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_a_configuration_that_is_refused_is_one_line_with_all_faults_and_no_value(command: str) -> None:
    code, told = output(command, **INVALID)

    line = json.loads(told)
    assert (1, "critical", set(INVALID)) == (code, line["level"], set(line["faults"]))
    assert MARK not in told


def test_people_are_told_the_same_in_lines_of_text() -> None:
    code, told = output("gunicorn", **INVALID, LOG_FORMAT="text")

    assert (1, "The configuration is not valid:") == (code, told.splitlines()[0])
    assert sorted(INVALID) == [line.split(":")[0].strip() for line in told.splitlines()[1:]]
    assert MARK not in told


def test_a_migration_without_a_database_says_so_in_one_line_without_the_password() -> None:
    code, told = output("flask", DATABASE_URL=f"postgresql://user:{PASSWORD}@127.0.0.1:1/sessions")

    line = json.loads(told)
    assert (1, "critical") == (code, line["level"])
    assert "Connection refused" in line["cause"]
    assert MARK not in told
