"""What the tests with real agents share."""

import os
from collections.abc import Iterator

import pytest

from tests.agents.building import new_session_id


@pytest.fixture(autouse=True, scope="module")
def clean_environment() -> Iterator[None]:
    """No setting of the machine reaches an agent or a process that it lives in."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("SESSION_BACKEND_", "AWS_")) or name.lower().endswith("_proxy"):
                patch.delenv(name)
        yield


@pytest.fixture
def session_id() -> str:
    return new_session_id()
