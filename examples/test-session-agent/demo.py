"""The generated project at work: killed and started again, several sessions at once, isolation, history.

Every line that it prints was checked: the first that does not come out as it should ends it with exit code 1.
"""

import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from strands_session_client import PostgreSQLSessionRepository

HERE = Path(__file__).parent
RUN = uuid.uuid4().hex[:8]
COLOURS = {"ann": "teal", "bob": "red", "cleo": "blue", "dan": "green"}
QUESTION = "What is my favourite colour?"


def demonstrate() -> None:
    """Four people talk to the agent, whose process is killed in between."""
    with running_api() as api:
        print("\nEach tells the agent something, all at once:")
        for who, answer in at_once(api, {who: f"My favourite colour is {colour}." for who, colour in COLOURS.items()}):
            line(who, f"My favourite colour is {COLOURS[who]}.", answer, expected="I will remember that.")
    print("\nThe process was killed with signal 9, and all that it had in memory with it.")
    with running_api() as api:
        print("\nEach asks the new process, all at once, and hears of nobody else's:")
        for who, answer in at_once(api, dict.fromkeys(COLOURS, QUESTION)):
            line(who, QUESTION, answer, expected=f"Your favourite colour is {COLOURS[who]}.")
        stranger = call(api, "POST", "/process", {"session_id": session_of("eve"), "prompt": QUESTION})["response"]
        line("eve", QUESTION, stranger, expected="You have not told me your favourite colour.")

        print("\nWhat the session of ann holds:")
        told = f"My favourite colour is {COLOURS['ann']}."
        history = call(api, "GET", f"/sessions/{session_of('ann')}/history")["messages"]
        said = [block["text"] for message in history for block in message["content"]]
        for message, text in zip(history, said, strict=True):
            print(f"    {message['role']:<10} {text}")
        check(said, [told, "I will remember that.", QUESTION, f"Your favourite colour is {COLOURS['ann']}."])

        print("\nForgotten, and gone:")
        for who in [*COLOURS, "eve"]:
            call(api, "DELETE", f"/sessions/{session_of(who)}")
        left = [
            one["session_id"]
            for one in call(api, "GET", "/sessions?limit=1000")["sessions"]
            if RUN in one["session_id"]
        ]
        print(f"    sessions of this run that are left: {len(left)}")
        check(left, [])


@contextmanager
def running_api() -> Iterator[str]:
    """The URL of the project's API in a process of its own, which is killed in the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "MODEL": "scripted", "PORT": str(port)}
    command = [sys.executable, "-m", "api.app"]
    process = subprocess.Popen(command, cwd=HERE, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(url, process)
        print(f"process {process.pid} serves on {url}")
        yield url
    finally:
        process.kill()
        process.wait()


def wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        try:
            if requests.get(f"{url}/health", timeout=5).ok:
                return
        except requests.RequestException:
            pass
        if process.poll() is not None:
            break
        time.sleep(0.1)
    sys.exit("The agent's API did not start.")


def at_once(api: str, prompts: dict[str, str]) -> list[tuple[str, str]]:
    """Everybody's answer, all asked at the same time."""

    def ask(who: str) -> str:
        return call(api, "POST", "/process", {"session_id": session_of(who), "prompt": prompts[who]})["response"]

    with ThreadPoolExecutor(len(prompts)) as threads:
        return list(zip(prompts, threads.map(ask, prompts), strict=True))


def call(api: str, method: str, path: str, body: dict[str, str] | None = None) -> Any:
    answer = requests.request(method, f"{api}{path}", json=body, timeout=60)
    if not answer.ok:
        sys.exit(f"{method} {path}: {answer.status_code} {answer.text}")
    return answer.json() if answer.content else None


def session_of(who: str) -> str:
    return f"demo-{RUN}-{who}"


def line(who: str, prompt: str, answer: str, *, expected: str) -> None:
    print(f"    {who:<5} {prompt:<32} agent: {answer}")
    check(answer, expected)


def check(found: object, expected: object) -> None:
    if found != expected:
        sys.exit(f"Expected {expected!r}.")


if __name__ == "__main__":
    with PostgreSQLSessionRepository() as repository:
        if not repository.health_check():
            url = repository.base_url
            sys.exit(f"No healthy session service answers at {url}: start it, or name another in SESSION_BACKEND_URL.")
        print(f"Sessions are kept at {repository.base_url}.")
    demonstrate()
    print("\nAll as it should be.")
