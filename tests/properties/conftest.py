"""What the properties share besides strategies."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from session_api import logs


@pytest.fixture
def own_logs() -> Iterator[None]:
    """The test may send the logs where it likes; afterwards they are quiet again."""
    yield
    logs.configure("CRITICAL", "json")
