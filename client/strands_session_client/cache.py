"""What the service answered, kept for as long as it says that nothing changed.

One store for the whole process: an agent that is rebuilt for every request finds what the one before it has read.
"""

import hashlib
import marshal
import os
import threading
from collections import OrderedDict
from typing import Any, NamedTuple

from strands_session_client.settings import Key

DEFAULT_BYTES = 32 * 1024 * 1024
_OVERHEAD = 500  # of an entry besides its document: keys, tags and the dictionary's own
_PARTS = 16  # of a page that grows: more are packed as one, so that they stay few and each is packed again seldom

_SALT = os.urandom(16)


class Kept(NamedTuple):
    """A document or the rows of a page with the ETag that they had, packed: whoever unpacks them may change them."""

    tag: str
    parts: tuple[bytes, ...]
    number: int = 0  # of the rows of a page
    next: str | None = None  # of a page: where the one behind it begins

    @classmethod
    def of(cls, tag: str, document: dict[str, Any]) -> "Kept":
        # Half the size and a third of the time of JSON, and it holds bytes. Its form may change with Python's version
        # and anybody could make up harmful ones, neither of which matters in one process's memory.
        return cls(tag, (marshal.dumps(document),))

    @classmethod
    def of_rows(cls, tag: str, rows: list[dict[str, Any]], next_: str | None) -> "Kept":
        return cls(tag, (marshal.dumps(rows),), len(rows), next_)

    def grown(self, tag: str, rows: list[dict[str, Any]], next_: str | None) -> "Kept":
        """The page with these rows behind those that it has."""
        parts = (*self.parts, marshal.dumps(rows)) if rows else self.parts
        if len(parts) > _PARTS:
            parts = (marshal.dumps([*self.rows, *rows]),)
        return Kept(tag, parts, self.number + len(rows), next_)

    @property
    def document(self) -> dict[str, Any]:
        """The document, made anew."""
        document: dict[str, Any] = marshal.loads(self.parts[0])  # noqa: S302 - packed above
        return document

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of a page, made anew."""
        return [row for part in self.parts for row in marshal.loads(part)]  # noqa: S302 - packed above

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(map(len, self.parts))


class _Store:
    """The entries of all caches, the ones used longest ago leaving first."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.limit = 0
        self._entries: OrderedDict[tuple[bytes, str], Kept] = OrderedDict()
        self._bytes = 0

    def get(self, name: tuple[bytes, str]) -> Kept | None:
        with self.lock:
            kept = self._entries.get(name)
            if kept is not None:
                self._entries.move_to_end(name)
            return kept

    def put(self, name: tuple[bytes, str], kept: Kept) -> None:
        size = _size(name, kept)
        with self.lock:
            self._drop(name)
            if size > self.limit:
                return
            self._entries[name] = kept
            self._bytes += size
            while self._bytes > self.limit:
                self._drop(next(iter(self._entries)))

    def drop(self, name: tuple[bytes, str]) -> None:
        with self.lock:
            self._drop(name)

    def clear(self) -> None:
        with self.lock:
            self._entries.clear()
            self._bytes = 0

    def _drop(self, name: tuple[bytes, str]) -> None:
        kept = self._entries.pop(name, None)
        if kept is not None:
            self._bytes -= _size(name, kept)


class Cache:
    """What one key has read at one base URL."""

    def __init__(self, base_url: str, api_key: Key | None, cache_bytes: int) -> None:
        key = b"" if api_key is None else b"\n" + api_key.encode()
        # What tells the keys apart must not be a way to the keys.
        self._owner = hashlib.blake2b(base_url.encode() + key, key=_SALT, digest_size=16).digest()
        self.is_on = cache_bytes > 0
        with _store.lock:
            _store.limit = max(_store.limit, cache_bytes)

    def get(self, name: str) -> Kept | None:
        """What is kept under this name, if anything."""
        return _store.get((self._owner, name)) if self.is_on else None

    def put(self, name: str, kept: Kept) -> None:
        """Keep it, in place of what is kept under this name."""
        if self.is_on:
            _store.put((self._owner, name), kept)

    def drop(self, name: str) -> None:
        """Forget what is kept under this name."""
        _store.drop((self._owner, name))


def clear() -> None:
    """Forget all that this process keeps, whoever read it."""
    _store.clear()


def _size(name: tuple[bytes, str], kept: Kept) -> int:
    return kept.size + len(name[1]) + _OVERHEAD


_store = _Store()
if hasattr(os, "register_at_fork"):
    # Another thread may hold the lock at the moment of a fork; in the child nobody would ever release it.
    os.register_at_fork(
        before=_store.lock.acquire, after_in_parent=_store.lock.release, after_in_child=_store.lock.release
    )
