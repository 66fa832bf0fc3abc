"""The history of a run: one JSON line for every attempt, written as it ends."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

OK, FAILED, UNKNOWN = "ok", "failed", "unknown"


@dataclass(frozen=True)
class Attempt:
    """One request, or one call of the client's library with all its tries.

    `outcome` is ok, failed (it certainly did nothing) or unknown. Times are of the monotonic clock, which all processes
    of a machine share. `sha256` is the fingerprint of what was sent or, for a read, of what came back.
    """

    seed: int
    process: int
    client: str  # "agent": the client's library with its retries; "raw": requests without any
    call: int | None  # numbers the process's calls; None for a raw request, which is a call of its own
    is_call: bool  # the line of the call as a whole
    operation: str  # such as "PUT agent"; "GET messages" is a list
    key: str  # such as "sessions/a/agents/b/messages/3"; of a list, its collection
    sha256: str | None
    start: float
    end: float
    outcome: str
    status: int | None = None  # None: no answer came
    applied: bool | str | None = None  # what a 503 said
    missing: str | None = None  # the key that a 404 said is not there
    base: str | None = None  # the fingerprint that a write with If-Match replaces
    rows: tuple[tuple[str, str], ...] | None = None  # of a list: key and fingerprint of each row, in its order
    query: str = ""
    request_id: str | None = None

    @property
    def method(self) -> str:
        return self.operation.split(" ")[0]

    @property
    def writes(self) -> bool:
        return self.method != "GET"


class Recorder:
    """Appends to the file of a history; processes and threads may share the file."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def record(self, attempt: Attempt) -> None:
        fields = {name: value for name, value in asdict(attempt).items() if value not in (None, "")}
        # One write for a line: lines of several processes do not mix.
        os.write(self._file, json.dumps(fields).encode() + b"\n")


class Reader:
    """Reads a history while it is written; `attempts` are all that were read so far."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._rest = b""
        self.attempts: list[Attempt] = []

    def read(self) -> list[Attempt]:
        """What came since the last time."""
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        new = list(_parsed(lines))
        self.attempts += new
        return new


def _parsed(lines: list[bytes]) -> Iterator[Attempt]:
    for line in lines:
        fields = {"call": None, "sha256": None, **json.loads(line)}
        if "rows" in fields:
            fields["rows"] = tuple((key, value) for key, value in fields["rows"])
        yield Attempt(**fields)
