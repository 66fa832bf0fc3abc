"""Whether the workers grow under load: `python -m bench.soak --minutes 60`.

Ends with exit code 1 when a worker took more than MOST_MIB at the end of a minute, or an answer was not as expected.
"""

from __future__ import annotations

import argparse
import random
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from statistics import linear_regression
from typing import Any

import psutil
import requests

from .inputs import MESSAGE, STATE
from .stage import machine, stage

MOST_MIB = 120
THREADS = 8
LARGE = {"role": "user", "content": [{"image": "iVBORw0K" * 2**17}, {"text": "😀"}]}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--minutes", type=int, default=60)
    arguments.add_argument("--rate", type=float, default=160, help="requests a second, at most")
    given = arguments.parse_args()
    print(f"On {machine()}; {given.minutes} minutes of at most {given.rate:g} requests a second.")
    with stage() as place:
        ended = threading.Event()
        callers = [Caller(place.url, place.api_key, THREADS / given.rate, ended) for _ in range(THREADS)]
        for caller in callers:
            caller.start()
        workers = psutil.Process(place.process.pid).children()
        minutes = [_resident(workers)]
        print("minute  requests  MiB of each worker")
        for minute in range(1, given.minutes + 1):
            time.sleep(60)
            minutes.append(_resident(workers))
            done = sum(caller.answers.total() for caller in callers)
            print(f"{minute:6}  {done:8}  {'  '.join(f'{size:.1f}' for size in minutes[-1])}", flush=True)
        ended.set()
        for caller in callers:
            caller.join()
    _judge(minutes, sum((caller.answers for caller in callers), Counter()), callers)


class Caller(threading.Thread):
    """Does what agents do and what nobody should, in new sessions all the time."""

    def __init__(self, url: str, key: str, pause: float, ended: threading.Event) -> None:
        super().__init__(daemon=True)
        self.answers: Counter[int] = Counter()
        self.unexpected: Counter[str] = Counter()
        self._url, self._pause, self._ended = f"{url}/api/v1", pause, ended
        self._http = requests.Session()
        self._http.headers["Authorization"] = f"Bearer {key}"

    def run(self) -> None:
        while not self._ended.is_set():
            try:
                self._a_session()
            except requests.RequestException as error:
                self.unexpected[type(error).__name__] += 1

    def _a_session(self) -> None:
        session = f"/sessions/soak-{uuid.uuid4().hex}"
        agent = f"{session}/agents/assistant"
        self._ask(201, "POST", "/sessions", {"session_id": session.rpartition("/")[2]})
        self._ask(201, "POST", f"{session}/agents", {"agent_id": "assistant", "state": STATE} | _NOTHING)
        for number in range(random.randrange(5, 60)):
            self._ask(201, "POST", f"{agent}/messages", {"message_id": number, "message": MESSAGE})
            self._ask(200, "PUT", agent, {"state": STATE})
            random.choice(self._others(session, agent, number))()
        self._ask(204, "DELETE", session)

    def _others(self, session: str, agent: str, number: int) -> list[Callable[[], None]]:
        def ask(status: int, *request: Any, **more: Any) -> Callable[[], None]:
            return lambda: self._ask(status, *request, **more)

        def restore() -> None:
            for path in (session, agent, f"{agent}/messages?limit=50&total=false"):
                self._ask(200, "GET", path)

        wrong = {"Authorization": f"Bearer sk_{uuid.uuid4().hex}"}
        return [
            restore,
            restore,
            ask(200, "GET", f"{agent}/messages?limit=20&order=desc"),
            ask(200, "PUT", f"{agent}/messages/{number}", {"redact_message": {"text": str(number)}}),
            ask(200, "PUT", f"{agent}/messages/0", {"message": LARGE if number % 10 == 0 else MESSAGE}),
            ask(409, "POST", f"{agent}/messages", {"message_id": number, "message": STATE | MESSAGE}),
            ask(404, "GET", f"{session}/agents/{uuid.uuid4().hex}"),
            ask(404, "GET", f"/{uuid.uuid4().hex}"),
            ask(400, "POST", f"{agent}/messages", {"message_id": str(number), uuid.uuid4().hex: 1}),
            ask(400, "GET", f"/sessions?limit={uuid.uuid4().hex}"),
            ask(401, "GET", session, headers=wrong),
            ask(200, "GET", session, headers={"X-Request-ID": uuid.uuid4().hex, "User-Agent": uuid.uuid4().hex}),
        ]

    def _ask(self, expected: int, method: str, path: str, body: Any = None, **more: Any) -> None:
        began = time.monotonic()
        answer = self._http.request(method, f"{self._url}{path}", json=body, timeout=30, **more)
        self.answers[answer.status_code] += 1
        if answer.status_code != expected:
            self.unexpected[f"{answer.status_code} instead of {expected}"] += 1
        self._ended.wait(max(0, began + self._pause - time.monotonic()))


_NOTHING: dict[str, Any] = {"conversation_manager_state": {}}


def _resident(workers: list[psutil.Process]) -> list[float]:
    return [worker.memory_info().rss / 2**20 for worker in workers]


def _judge(minutes: list[list[float]], answers: Counter[int], callers: list[Caller]) -> None:
    """The growth is that of the later half: at first, a worker fills its caches and pools."""
    half = minutes[len(minutes) // 2 :]
    for number, sizes in enumerate(zip(*half, strict=True), 1):
        slope = linear_regression(range(len(sizes)), sizes).slope if len(sizes) > 1 else 0.0
        print(f"worker {number}: {slope * 60:+.1f} MiB an hour in the later half")
    unexpected = sum((caller.unexpected for caller in callers), Counter[str]())
    print(f"answers: {dict(sorted(answers.items()))}; unexpected: {dict(unexpected) or 'none'}")
    most = max(max(sizes) for sizes in minutes)
    print(f"most: {most:.1f} MiB, of {MOST_MIB} allowed")
    sys.exit(most > MOST_MIB or bool(unexpected))


if __name__ == "__main__":
    main()
