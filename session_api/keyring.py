"""Keys as this process knows them: looked up in the database, and kept for seconds."""

from __future__ import annotations

import hmac
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timezone
from hashlib import blake2b
from math import inf
from time import monotonic

import structlog
from cachetools import TTLCache
from gevent.monkey import get_original
from sqlalchemy.exc import SQLAlchemyError

from . import caller, deadline, key_text
from .db import Database
from .errors import DatabaseUnavailable, Failure
from .key_table import ApiKey
from .logs import cause
from .store import api_keys

log = structlog.get_logger("session_api")

# A revoked key works for so long at most, in every process.
FRESH_SECONDS = 5.0
# From then on one request looks it up again, and all others go on with what is known: else they would all look.
RENEW_SECONDS = 4.0
# A wrong key is not asked for again so soon; a new one may be unknown for so long if it was tried too early.
UNKNOWN_SECONDS = 1.0
TOUCH_EVERY_SECONDS = 60.0
TOUCH_WITHIN_SECONDS = 1.0


@dataclass
class _Seen:
    key: ApiKey
    at: float
    is_being_renewed: bool = False


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


class Keyring:
    """The valid keys. One per process; safe to share between threads."""

    def __init__(
        self,
        database: Database,
        secrets: Sequence[str],
        *,
        clock: Callable[[], float] = monotonic,
        now: Callable[[], datetime] = _utc_now,
        remembers: int = 10_000,
        strangers: int = 100,
    ) -> None:
        """Of keys that were never seen, `strangers` may be wrong in a second or be looked up at once; more have to come
        again, so that they can't keep the database from those it knows.
        """
        self._database = database
        self._secrets = secrets
        self._clock = clock
        self._now = now
        self._lock = get_original("_thread", "allocate_lock")()  # nobody waits inside, so greenlets need not either
        # By a digest of this process, since texts are not kept; the one that is stored costs several times more. A key
        # that is no longer fresh still tells its holder from a stranger. The one used longest ago comes first.
        self._salt = os.urandom(16)
        self._seen: OrderedDict[bytes, _Seen] = OrderedDict()
        self._remembers = remembers
        self._unknown: TTLCache[bytes, bool] = TTLCache(remembers, UNKNOWN_SECONDS, clock)
        self._asked: dict[bytes, Future[_Seen | None]] = {}
        self._touched: dict[str, float] = {}
        self._strangers = strangers
        self._second, self._wrong, self._asking = 0, 0, 0

    def find(self, text: str) -> ApiKey | None:
        """The key of this text, if it is valid now.

        Raises DatabaseUnavailable when that has to be looked up and cannot be.
        """
        name = blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16, key=self._salt).digest()
        seen, asks = self._recall(name)
        if asks and seen is None:
            if not key_text.is_well_formed(text):
                return None
            seen = self._ask(text, name, None, self._as_stranger())
        elif asks and seen:
            known_at = seen.at
            try:
                seen = self._ask(text, name, seen, nullcontext())
            except DatabaseUnavailable:
                if self._clock() - known_at >= FRESH_SECONDS:
                    raise
        return seen.key if seen is not None and self._is_valid(seen.key) else None

    def _is_valid(self, key: ApiKey) -> bool:
        lasts = key.expires_at is None and key.revoked_at is None
        return lasts or key.state(self._now()) == "valid"

    def should_touch(self, key: ApiKey) -> bool:
        """Whether its use is to be noted: yes once a minute, then no."""
        now = self._clock()
        if now - self._touched.get(key.key_id, -inf) < TOUCH_EVERY_SECONDS:
            return False
        if len(self._touched) >= self._remembers:
            self._touched.clear()  # whether it is due is asked of the key as well
        self._touched[key.key_id] = now
        return api_keys.is_due(key, self._now())

    def touch(self, key: ApiKey) -> None:
        """Note that the key was used; what prevents that is logged, and harms nobody."""
        caller.is_at(None)  # who may well be gone: it has its answer
        try:
            with deadline.within(TOUCH_WITHIN_SECONDS):
                self._database.run(api_keys.touch, key.key_id, self._now())
        except (Failure, SQLAlchemyError) as error:
            log.warning("the use of a key was not noted", key_id=key.key_id, **cause(error))

    def _recall(self, name: bytes) -> tuple[_Seen | None, bool]:
        """What is remembered of a key, and whether the caller is to look it up."""
        with self._lock:
            seen = self._seen.get(name)
            if seen is None:
                return None, name not in self._unknown
            self._seen.move_to_end(name)
            age = self._clock() - seen.at
            renews = age >= RENEW_SECONDS and not seen.is_being_renewed
            seen.is_being_renewed |= renews
            return seen, renews or age >= FRESH_SECONDS

    def _ask(
        self, text: str, name: bytes, recalled: _Seen | None, permission: AbstractContextManager[None]
    ) -> _Seen | None:
        """Look a key up; of all who come with it at once, as after a restart, one asks and the others wait for that."""
        with self._lock:
            known = self._seen.get(name)
            if known is not None and known is not recalled:
                return known  # since this one looked, another one has asked and was answered
            begun = self._asked.get(name)
            if begun is None:
                mine = self._asked[name] = Future[_Seen | None]()
        if begun is not None:
            failure = begun.exception()
            if isinstance(failure, DatabaseUnavailable):
                raise DatabaseUnavailable(failure.reason, retry_after=failure.retry_after)
            return begun.result()
        try:
            with permission:
                mine.set_result(self._look_up(text, name))
        except BaseException as failure:
            mine.set_exception(failure)
            raise
        finally:
            with self._lock:
                del self._asked[name]
        return mine.result()

    def _look_up(self, text: str, name: bytes) -> _Seen | None:
        at = self._clock()
        digests = [key_text.digest(text, secret) for secret in self._secrets]
        found = self._database.read(api_keys.find, digests)
        with self._lock:
            if found is None or not any(hmac.compare_digest(found[1], own) for own in digests):
                self._seen.pop(name, None)
                self._unknown[name] = True
                self._wrong += 1
                return None
            self._seen[name] = seen = _Seen(found[0], at)
            if len(self._seen) > self._remembers:
                self._seen.popitem(last=False)
            return seen

    @contextmanager
    def _as_stranger(self) -> Iterator[None]:
        with self._lock:
            second = int(self._clock())
            if second != self._second:
                self._second, self._wrong = second, 0
            if self._wrong + self._asking >= self._strangers:
                raise DatabaseUnavailable("too many unknown keys are being tried")
            self._asking += 1
        try:
            yield
        finally:
            with self._lock:
                self._asking -= 1
