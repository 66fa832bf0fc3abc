"""Writes documents into SQL."""

from __future__ import annotations

import secrets
from typing import Any

from psycopg2.extensions import QuotedString

from .strict_json import Document


def quoted(document: Document) -> Any:
    """What psycopg2 puts into a statement. Between its quotes every apostrophe is two, in each copy that is made on the
    way; a document of little else goes between dollars.
    """
    return QuotedString(document) if document.count(b"'") * 8 < len(document) else _InDollars(document)


class _InDollars:
    def __init__(self, document: Document) -> None:
        self._document = document

    def getquoted(self) -> bytes:
        # Nobody can know the tag beforehand, so no document can hold it; it is looked for all the same.
        tag = b"$d%b$" % secrets.token_hex(16).encode()
        return self.getquoted() if tag in self._document else tag + self._document + tag
