"""An agent's API as a process that can be killed."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from tests.conftest import free_port, wait_until_ready


class Api:
    """The API in a process of its own, with the scripted model."""

    def __init__(self, directory: Path, command: list[str], environment: dict[str, str]) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.log = directory / "api.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command,
                cwd=directory,
                env={**os.environ, "MODEL": "scripted", "PORT": str(port), **environment},
                stdout=log,
                stderr=log,
            )
        wait_until_ready(self.url, self.process, self.log, "/health")

    def say(self, session_id: str, prompt: str) -> str:
        answer = requests.post(f"{self.url}/process", json={"session_id": session_id, "prompt": prompt}, timeout=60)
        assert 200 == answer.status_code, answer.text
        return answer.json()["response"]

    def stream(self, session_id: str, prompt: str) -> Iterator[tuple[str, Any]]:
        """The events of the answer, each as soon as it comes."""
        body = {"session_id": session_id, "prompt": prompt}
        with requests.post(f"{self.url}/process-streaming", json=body, stream=True, timeout=60) as answer:
            name = ""
            for line in answer.iter_lines(decode_unicode=True):
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    yield name, json.loads(line.removeprefix("data: "))

    def history(self, session_id: str) -> list[str]:
        answer = requests.get(f"{self.url}/sessions/{session_id}/history", timeout=60)
        assert 200 == answer.status_code, answer.text
        return [block["text"] for message in answer.json()["messages"] for block in message["content"]]

    def session_ids(self) -> list[str]:
        answer = requests.get(f"{self.url}/sessions", params={"limit": 1000}, timeout=60).json()
        return [session["session_id"] for session in answer["sessions"]]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
