"""Instances of the service behind haproxy, and callers that note what they get."""

from __future__ import annotations

import subprocess
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import requests

from .conftest import AGENT, HELLO, ROOT, environment, free_port, new_id, start_gunicorn, wait_until_ready

EXAMPLE = ROOT / "examples" / "haproxy.cfg"


class Instance:
    """The service on a port of its own."""

    def __init__(self, database_url: str, log: Path, **settings: str) -> None:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.log = log
        self.code = ROOT
        settings |= {"DATABASE_URL": database_url, "API_PORT": str(self.port), "LOG_LEVEL": "WARNING"}
        self.environment = environment(**settings)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = start_gunicorn(self.log, self.environment, self.code)
        wait_until_ready(f"http://{self.address}", self.process, self.log)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(30)


@contextmanager
def two_instances(database_url: str, folder: Path, **settings: str) -> Iterator[list[Instance]]:
    """Running; stopped in the end."""
    instances = [Instance(database_url, folder / f"log-{number}", **settings) for number in range(2)]
    try:
        for instance in instances:
            instance.start()
        yield instances
    finally:
        running = [instance.process for instance in instances if instance.process]
        for process in running:
            process.terminate()
        for process in running:
            process.wait(30)


@contextmanager
def balancing(haproxy: str, configuration: Path, instances: Sequence[Instance], log: Path) -> Iterator[str]:
    """The URL of a haproxy; the configuration finds the first two addresses in its environment."""
    addresses = [instance.address for instance in instances]
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {"LISTEN": f"127.0.0.1:{port}", "SESSION_API_ONE": addresses[0], "SESSION_API_TWO": addresses[1]}
    with log.open("w") as output:
        process = subprocess.Popen([haproxy, "-db", "-f", configuration], env=environment, stdout=output, stderr=output)
    try:
        wait_until_ready(url, process, log)
        yield url
    finally:
        process.terminate()
        process.wait(30)


class Caller(threading.Thread):
    """Appends and reads, each request once, until told to stop; on one connection or on a new one each time."""

    def __init__(self, url: str, keeps_connection: bool) -> None:
        super().__init__()
        self.http = requests.Session() if keeps_connection else requests
        session_id = new_id()
        session = f"{url}/api/v1/sessions/{session_id}"
        self.messages = f"{session}/agents/assistant/messages"
        assert requests.post(f"{url}/api/v1/sessions", json={"session_id": session_id}).ok
        assert requests.post(f"{session}/agents", json=AGENT).ok
        self.answers: Counter[str] = Counter()
        self.acknowledged: list[int] = []
        self.stop = threading.Event()

    def run(self) -> None:
        message_id = 0
        while not self.stop.is_set():
            if self._ask("POST", self.messages, {**HELLO, "message_id": message_id}) == "201":
                self.acknowledged.append(message_id)
            self._ask("GET", f"{self.messages}/{message_id}")
            message_id += 1
            self.stop.wait(0.01)  # the instances need some of the processor to start

    def _ask(self, method: str, url: str, body: object = None) -> str:
        try:
            answer = str(self.http.request(method, url, json=body, timeout=30).status_code)
        except requests.RequestException as error:
            answer = repr(error)
        self.answers[f"{method} {answer}"] += 1
        return answer


@contextmanager
def calling(url: str, number: int) -> Iterator[list[Caller]]:
    """So many callers at work, half of them on a connection that is kept."""
    callers = [Caller(url, keeps_connection=each % 2 == 0) for each in range(number)]
    for caller in callers:
        caller.start()
    yield callers
    join(callers)


def join(callers: list[Caller]) -> None:
    for caller in callers:
        caller.stop.set()
        caller.join()


def assert_nothing_was_noticed(callers: list[Caller]) -> None:
    """Everything was answered as it should be, and all that was acknowledged is stored; ends them."""
    join(callers)
    answers = sum((caller.answers for caller in callers), Counter[str]())
    assert {"POST 201", "GET 200"} == set(answers), answers
    for caller in callers:
        stored = requests.get(f"{caller.messages}?limit=1000&total=true").json()
        assert len(caller.acknowledged) == stored["total"] > 50
