"""Documents get into SQL, whatever is in them."""

from __future__ import annotations

import pytest
from sqlalchemy.engine import Connection

from session_api import quoting
from session_api.models import AgentKey, MessageKey
from session_api.store import messages
from session_api.strict_json import Document

from .test_store import A_MESSAGE, agent  # noqa: F401


@pytest.mark.parametrize(
    "text",
    ["'", "''''''''", "'; DROP TABLE sessions; --", "$$'$d$'$$", "\\\\", "\\\\'\\\\'", "%s''%%(x)s''", "''''日😀'"],
)
def test_apostrophes_few_or_many_change_nothing(tx: Connection, agent: AgentKey, text: str) -> None:  # noqa: F811
    document = Document(b'{"":"%b"}' % text.encode())

    messages.append(tx, MessageKey(*agent, 0), {**A_MESSAGE, "message": document})

    assert document == messages.read(tx, MessageKey(*agent, 0)).message


def test_a_document_of_apostrophes_is_not_written_twice_as_long() -> None:
    document = Document(b'{"":"%b"}' % (b"'" * 10_000))

    assert len(quoting.quoted(document).getquoted()) < 1.1 * len(document)


def test_a_tag_that_a_document_holds_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    tags = iter(["known", "new"])
    monkeypatch.setattr(quoting.secrets, "token_hex", lambda size: next(tags))

    assert b"$dnew$''$dknown$''$dnew$" == quoting.quoted(Document(b"''$dknown$''")).getquoted()
