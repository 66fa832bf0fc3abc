"""What is written and read, the same for every target."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

SESSION = "bench"
MESSAGE: dict[str, Any] = {"role": "user", "content": [{"text": "What is the capital of the country? " * 12}]}
STATE = {"preferences": {"language": "en", "units": "metric"}, "notes": ["remember this"] * 12}


def request(method: str, path: str, body: Any = None, key: str | None = None) -> bytes:
    """An HTTP request, ready to be sent."""
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} /api/v1{path} HTTP/1.1", "Host: bench", "Accept: */*"]
    if key:
        lines.append(f"Authorization: Bearer {key}")
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, "", ""]).encode() + content


def appends(agent_id: str, first: int, key: str | None) -> Iterator[bytes]:
    path = f"/sessions/{SESSION}/agents/{agent_id}/messages"
    for message_id in count(first):
        yield request("POST", path, {"message_id": message_id, "message": MESSAGE}, key)
