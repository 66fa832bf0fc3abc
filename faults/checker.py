"""Judges a history against what is there afterwards: which promise was broken, and where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .final import Api, Row, Sql
from .history import OK, Attempt
from .reads import reads
from .registers import ABSENT, AFTERWARDS, FINE, FUTURE, NEVER_WRITTEN, REFUSED, Register, registers


class Violation(NamedTuple):
    """A broken promise: the rule, the key, and what was seen."""

    rule: str
    key: str
    seen: str


def check(history: Sequence[Attempt], api: Api, sql: Sql) -> list[Violation]:
    """All broken promises. An attempt with an unknown outcome may be either way."""
    written = registers(history)
    seen = list(reads(history, written))
    for key, value, _, end, _ in seen:
        written.get(key, _NOTHING).observe(value, end)
    owners = {write.value: key for key, register in written.items() for write in register.writes}
    zero = min((attempt.start for attempt in history), default=0.0)
    judged = _Judge(written, owners, zero)
    return [
        *_answers(history),
        *_lost_updates(history),
        *_orders(history),
        *(violation for read in seen for violation in judged.read(*read)),
        *judged.final("the API's list", [row for rows in api.lists.values() for row in rows]),
        *judged.final("SQL", sql.rows),
        *judged.singles(api.singles),
        *_lists(api),
        *_gaps(api),
        *(Violation("orphan", key, "its parent is not there") for key in sql.orphans),
        *([Violation("idle in transaction", "", f"{sql.idle_in_transaction} left")] if sql.idle_in_transaction else []),
    ]


_NOTHING = Register()


class _Judge:
    """Names what is wrong with a value that was seen."""

    def __init__(self, written: dict[str, Register], owners: dict[str | None, str], zero: float) -> None:
        self._written, self._owners, self._zero = written, owners, zero

    def read(self, key: str, value: str | None, start: float, end: float, how: str) -> Iterator[Violation]:
        register = self._written.get(key, _NOTHING)
        verdict = register.judge(value, start, end)
        if verdict != FINE:
            yield Violation(self._rule(verdict, key, value), key, f"{how} at {end - self._zero:.3f} s: {_short(value)}")

    def final(self, how: str, rows: Sequence[Row]) -> Iterator[Violation]:
        """`rows` are all that is there."""
        for key, count in Counter(key for key, _ in rows).items():
            if count > 1:
                yield Violation("duplicate", key, f"{count} times in {how}")
        there = dict(rows)
        for key, register in self._written.items():
            if key not in there and register.is_there:
                yield Violation("lost acknowledgement", key, f"not in {how}")
        for key, value in there.items():
            yield from self._at_the_end(key, value, how)

    def singles(self, rows: Sequence[Row]) -> Iterator[Violation]:
        for key, value in rows:
            yield from self._at_the_end(key, value, "the API")

    def _at_the_end(self, key: str, value: str, how: str) -> Iterator[Violation]:
        verdict = self._written.get(key, _NOTHING).judge(value, AFTERWARDS, AFTERWARDS)
        if verdict != FINE:
            rule = "lost update" if verdict not in _RULES else self._rule(verdict, key, value)
            yield Violation(rule, key, f"at the end in {how}: {_short(value)}")

    def _rule(self, verdict: str, key: str, value: str | None) -> str:
        if verdict == NEVER_WRITTEN:
            if value in self._owners:
                return "duplicate"  # of another key's content
            return "torn document" if key in self._written else "phantom"
        return _RULES.get(verdict, "stale read")


_RULES = {NEVER_WRITTEN: "", FUTURE: "read from the future", REFUSED: "applied, but said not to be"}


def _answers(history: Sequence[Attempt]) -> Iterator[Violation]:
    """Nothing but what a client may expect: no 500, and no refusal of what was right."""
    expected = {None, 200, 201, 204, 226, 304, 404, 412, 503}
    for attempt in history:
        if attempt.is_call or attempt.status in expected or (attempt.status == 409 and attempt.outcome == OK):
            continue
        rule = "answer 500" if attempt.status == 500 else "unexpected answer"
        yield Violation(rule, attempt.key, f"{attempt.status} to {attempt.operation}, request {attempt.request_id}")


def _lost_updates(history: Sequence[Attempt]) -> Iterator[Violation]:
    """Two acknowledged writes that replaced the same version: one of them is lost."""
    replaced: dict[tuple[str, str], Attempt] = {}
    for attempt in history:
        if attempt.base is not None and attempt.outcome == OK and attempt.status == 200:
            first = replaced.setdefault((attempt.key, attempt.base), attempt)
            if first is not attempt:
                seen = f"requests {first.request_id} and {attempt.request_id} replaced the same version"
                yield Violation("lost update", attempt.key, seen)


def _orders(history: Sequence[Attempt]) -> Iterator[Violation]:
    """Every page of messages is in the order of the ids, without a repetition."""
    for attempt in history:
        if attempt.operation == "GET messages" and attempt.rows:
            ids = _ids(attempt.rows)
            yield from _in_order(attempt.key, ids[::-1] if "order=desc" in attempt.query else ids)


def _lists(api: Api) -> Iterator[Violation]:
    """Lists are in order, and every way of paging gives the same rows."""
    for path, rows in api.lists.items():
        if path.endswith("/messages"):
            yield from _in_order(path, _ids(rows))
        if api.totals[path] != len(rows):
            yield Violation("pages", path, f"the total is {api.totals[path]}, the list has {len(rows)} rows")
    for (path, way), rows in api.pages.items():
        if rows != api.lists[path]:
            yield Violation("pages", path, f"paged by {way} it has {len(rows)} rows, in one {len(api.lists[path])}")


def _gaps(api: Api) -> Iterator[Violation]:
    """An agent that appends in the order of its ids has exactly those."""
    for path, rows in api.lists.items():
        if path.endswith("/agents/log/messages") and (ids := _ids(rows)) != list(range(len(ids))):
            missing = sorted(set(range(max(ids) + 1)) - set(ids))
            yield Violation("gap", path, f"{len(missing)} missing: {missing[:5]}, {len(ids) - len(set(ids))} twice")


def _in_order(path: str, ids: list[int]) -> Iterator[Violation]:
    if len(set(ids)) != len(ids):
        yield Violation("duplicate", path, "a row comes twice in a list")
    elif ids != sorted(ids):
        yield Violation("order", path, "a list is not in the order of its ids")


def _ids(rows: Sequence[Row]) -> list[int]:
    return [int(key.rpartition("/")[2]) for key, _ in rows]


def _short(value: str | None) -> str:
    return "absent" if value is ABSENT else f"sha256 {value[:12]}"
