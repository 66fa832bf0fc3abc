"""Keys: what they look like, what is stored of them, and how long a process trusts what it knows."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from time import sleep
from typing import Any

import psycopg2
import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.engine import make_url

from session_api import issuing, key_text
from session_api.db import Database
from session_api.errors import DatabaseUnavailable
from session_api.key_table import ApiKey, api_keys
from session_api.keyring import FRESH_SECONDS, RENEW_SECONDS, TOUCH_EVERY_SECONDS, Keyring
from session_api.store import api_keys as store

from .conftest import KEYED, make_settings, new_id, new_key

SECRET = KEYED["API_KEY_SECRET"]


class Time:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def clock(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return datetime.now(timezone.utc) + timedelta(seconds=self.seconds - 1000)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def ring(db: Database, time: Time) -> Keyring:
    return Keyring(db, [SECRET], clock=time.clock, now=time.now)


@pytest.fixture
def issued(db: Database) -> issuing.Issued:
    return issue(db)


def issue(db: Database, secret: str = SECRET, **given: object) -> issuing.Issued:
    return issuing.issue(db, secret, **{"tenant_id": "acme", "name": "test", "scopes": ["read"], **given})


def locked(database_url: str) -> Any:
    """A connection that lets nobody look a key up until it is closed."""
    connection = psycopg2.connect(make_url(database_url).set(drivername="postgresql").render_as_string(False))
    connection.cursor().execute("LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE")
    return connection


def row(db: Database, key: ApiKey) -> ApiKey:
    return db.read(store.read, key.key_id)


# What they look like.


def test_a_key_can_be_recognised_and_is_never_made_twice() -> None:
    made = {key_text.new() for _ in range(1000)}

    assert 1000 == len(made)
    assert all(re.fullmatch(r"sk_[0-9A-Za-z]{49}", key) and key_text.is_well_formed(key) for key in made)


def test_a_key_holds_256_random_bits_of_which_each_is_as_often_1_as_0() -> None:
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    ones = [0] * 256
    for _ in range(2000):
        number = 0
        for digit in key_text.new()[3:-6]:
            number = number * 62 + digits.index(digit)
        for bit in range(256):
            ones[bit] += number >> bit & 1

    assert all(800 < count < 1200 for count in ones)


def test_every_single_typo_and_every_cut_is_noticed_without_the_database() -> None:
    key = key_text.new()
    typos = {key[:at] + other + key[at + 1 :] for at in range(len(key)) for other in "0Az" if other != key[at]}
    swaps = {key[:at] + key[at + 1] + key[at] + key[at + 2 :] for at in range(3, len(key) - 1)} - {key}

    assert [] == [text for text in typos | swaps if key_text.is_well_formed(text)]
    assert not any(key_text.is_well_formed(part) for part in (key[:-1], key + "a", key + "\n", " " + key, "", key[3:]))


def test_what_is_no_key_is_not_looked_up(ring: Keyring, sent: list[str]) -> None:
    for given in ("", "sk_", "sk_" + "a" * 49, "\u0661" * 52, key_text.new()[:-1] + "\n", "x" * 10_000):
        assert ring.find(given) is None
    assert [] == sent


# What is stored.


def test_nothing_stored_is_the_key_or_can_be_checked_without_the_secret(db: Database, issued: issuing.Issued) -> None:
    stored = db.run(lambda tx: tx.execute(select(text("api_keys::text")).select_from(api_keys)).scalars().all())
    hash = db.run(lambda tx: tx.execute(select(api_keys.c.hash).where(api_keys.c.key_id == issued.key.key_id)).scalar())

    assert not any(issued.text[3:] in row for row in stored)
    assert key_text.digest(issued.text, SECRET) == hash
    assert key_text.digest(issued.text, SECRET + "x") != hash


def test_keys_made_with_an_old_secret_work_until_it_is_left_out(db: Database) -> None:
    old, new = "old " * 10, "new " * 10
    of_old, of_new = issue(db, old), issue(db, new)

    for secrets, expected in (([old], (1, 0)), ([new, old], (1, 1)), ([new], (0, 1))):
        ring = Keyring(db, secrets)
        for _ in range(2):
            assert expected == (ring.find(of_old.text) is not None, ring.find(of_new.text) is not None)


def test_making_a_key_again_after_a_lost_answer_leaves_one(db: Database, issued: issuing.Issued) -> None:
    hash = key_text.digest(issued.text, SECRET)

    assert issued.key == db.run(store.create, issued.key, hash)
    successor = issued.key._replace(key_id=key_text.new_id())
    until = datetime.now(timezone.utc) + timedelta(days=1)
    for _ in range(2):
        assert successor == db.run(store.replace, issued.key.key_id, successor, b"another hash of " + hash, until)
    assert until == row(db, issued.key).expires_at


# How long a process trusts what it knows.


def test_a_known_key_costs_no_statement(ring: Keyring, issued: issuing.Issued, sent: list[str]) -> None:
    found = [ring.find(issued.text) for _ in range(100)]

    assert [issued.key] * 100 == found
    assert 1 == len(sent)


def test_of_many_who_send_a_key_at_once_one_renews_it_and_nobody_waits_for_that(
    database_url: str, ring: Keyring, time: Time, issued: issuing.Issued, sent: list[str]
) -> None:
    ring.find(issued.text)
    time.seconds += RENEW_SECONDS
    sent.clear()
    other = locked(database_url)
    renewing = ThreadPoolExecutor(1).submit(ring.find, issued.text)
    while not sent:
        sleep(0.01)
    found = [ring.find(issued.text) for _ in range(50)]
    other.close()

    assert [issued.key] * 51 == [*found, renewing.result(10)]
    time.seconds += RENEW_SECONDS - 0.1
    assert issued.key == ring.find(issued.text)
    assert 1 == len(sent)


def test_a_revoked_key_stops_everywhere_within_5_seconds(db: Database, time: Time, issued: issuing.Issued) -> None:
    rings = [Keyring(db, [SECRET], clock=time.clock, now=time.now) for _ in range(3)]
    for started, ring in enumerate(rings):
        ring.find(issued.text)
        time.seconds += started
    db.run(store.revoke, issued.key.key_id, time.now())

    assert all(ring.find(issued.text) for ring in rings[1:])
    time.seconds += FRESH_SECONDS
    assert [None] * 3 == [ring.find(issued.text) for ring in rings]


def test_a_deleted_key_stops_too_and_is_a_stranger_s_then(
    db: Database, ring: Keyring, time: Time, sent: list[str]
) -> None:
    issued = issue(db, tenant_id=new_id("tenant"))
    ring.find(issued.text)
    db.run(store.delete_all, issued.key.tenant_id)
    time.seconds += FRESH_SECONDS
    sent.clear()

    assert [None] * 3 == [ring.find(issued.text) for _ in range(3)]
    assert 1 == len(sent)


def test_a_key_expires_at_its_second_also_in_the_cache(
    db: Database, ring: Keyring, time: Time, sent: list[str]
) -> None:
    issued = issue(db, expires_at=time.now() + timedelta(seconds=3))

    assert ring.find(issued.text)
    sent.clear()
    time.seconds += 3
    assert ring.find(issued.text) is None
    assert [] == sent


def test_a_wrong_key_is_looked_up_once_a_second(ring: Keyring, time: Time, sent: list[str]) -> None:
    wrong = key_text.new()

    for expected in (1, 2):
        assert [None] * 50 == [ring.find(wrong) for _ in range(50)]
        assert expected == len(sent)
        time.seconds += 1


def test_a_flood_of_wrong_keys_reaches_the_database_so_often_a_second_and_harms_nobody_who_is_known(
    db: Database, time: Time, issued: issuing.Issued, sent: list[str]
) -> None:
    ring = Keyring(db, [SECRET], clock=time.clock, now=time.now, strangers=10)
    ring.find(issued.text)
    time.seconds += FRESH_SECONDS
    sent.clear()
    refusals = []
    for _ in range(30):
        try:
            assert ring.find(key_text.new()) is None
        except DatabaseUnavailable as failure:
            refusals.append((failure.reason, failure.retry_after))

    assert 10 == len(sent)
    assert [("too many unknown keys are being tried", 1)] * 20 == refusals
    assert issued.key == ring.find(issued.text)
    time.seconds += 1
    assert ring.find(key_text.new()) is None


def test_a_flood_that_comes_all_at_once_leaves_connections_for_those_who_are_known(
    database_url: str, db: Database, time: Time, issued: issuing.Issued, sent: list[str]
) -> None:
    ring = Keyring(db, [SECRET], clock=time.clock, now=time.now, strangers=3)
    ring.find(issued.text)
    sent.clear()
    other = locked(database_url)
    asking = [ThreadPoolExecutor(1).submit(ring.find, key_text.new()) for _ in range(3)]
    while len(sent) < 3:
        sleep(0.01)

    with pytest.raises(DatabaseUnavailable, match="too many unknown keys"):
        ring.find(key_text.new())
    assert issued.key == ring.find(issued.text)
    other.close()
    assert [None] * 3 == [each.result(10) for each in asking]


def test_of_many_who_come_with_the_same_new_key_at_once_one_asks_and_all_are_let_in(
    database_url: str, db: Database, issued: issuing.Issued, sent: list[str]
) -> None:
    ring = Keyring(db, [SECRET], strangers=3)
    sent.clear()
    other = locked(database_url)
    with ThreadPoolExecutor(40) as callers:
        asking = [callers.submit(ring.find, issued.text) for _ in range(40)]
        while not sent:
            sleep(0.01)
        other.close()

    assert [issued.key] * 40 == [each.result(10) for each in asking]
    assert 1 == len(sent)


def test_who_looked_before_another_one_was_answered_does_not_ask_again(
    ring: Keyring, issued: issuing.Issued, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recall = ring._recall

    def recall_and_be_overtaken(name: bytes) -> Any:
        recalled = recall(name)
        monkeypatch.undo()
        assert issued.key == ring.find(issued.text)
        return recalled

    monkeypatch.setattr(ring, "_recall", recall_and_be_overtaken)
    found = ring.find(issued.text)

    assert issued.key == found
    assert 1 == len(sent)


def test_of_many_who_come_with_the_same_key_all_hear_that_it_cannot_be_looked_up(
    database_url: str, db: Database, issued: issuing.Issued, sent: list[str]
) -> None:
    ring = Keyring(db, [SECRET])
    sent.clear()
    other = locked(database_url)
    with ThreadPoolExecutor(20) as callers:
        asking = [callers.submit(ring.find, issued.text) for _ in range(20)]
        failures = [each.exception(30) for each in asking]
    tried = len(sent)
    other.close()

    assert {DatabaseUnavailable} == set(map(type, failures))
    assert tried <= 3
    assert issued.key == ring.find(issued.text)


def test_new_holders_are_let_in_however_many_there_are(db: Database) -> None:
    ring = Keyring(db, [SECRET], strangers=3)
    issued = [issue(db) for _ in range(10)]

    assert [each.key for each in issued] == [ring.find(each.text) for each in issued]


def test_no_more_keys_are_remembered_than_it_has_room_for(db: Database, time: Time, sent: list[str]) -> None:
    ring = Keyring(db, [SECRET], clock=time.clock, now=time.now, remembers=2)
    known = [issue(db).text for _ in range(3)]
    wrong = [key_text.new() for _ in range(3)]
    for each in (*known, *wrong):
        ring.find(each)
    sent.clear()

    asked = []
    for each in (*known[:0:-1], known[0], *wrong[:0:-1], wrong[0]):
        ring.find(each)
        asked.append(len(sent))
    assert [0, 0, 1, 1, 1, 2] == asked


# When the database is away.


@pytest.fixture
def cut_off(issued: issuing.Issued, db: Database, time: Time) -> tuple[Keyring, Callable[[], object]]:
    """A ring that knows a key and then loses its database; and how to ask it for that key."""
    ring = Keyring(db, [SECRET], clock=time.clock, now=time.now)
    ring.find(issued.text)
    ring._database = Database(make_settings("postgresql+psycopg2://nobody@127.0.0.1:1/nowhere", retry_attempts=1))
    return ring, lambda: ring.find(issued.text)


def test_without_a_database_a_key_is_known_for_5_seconds_and_then_nobody_says_that_it_is_wrong(
    cut_off: tuple[Keyring, Callable[[], object]], time: Time
) -> None:
    ring, find = cut_off

    time.seconds += FRESH_SECONDS - 0.1
    assert find()
    time.seconds += 0.1
    for ask in (find, lambda: ring.find(key_text.new())):
        with pytest.raises(DatabaseUnavailable, match="it cannot be reached"):
            ask()


def test_without_a_database_a_use_is_not_noted_and_nobody_suffers(
    cut_off: tuple[Keyring, Callable[[], object]], issued: issuing.Issued
) -> None:
    ring, _ = cut_off

    assert ring.should_touch(issued.key)
    ring.touch(issued.key)
    assert not ring.should_touch(issued.key)


# When a key was used.


def test_a_use_is_noted_once_a_minute_by_all_processes_together(
    db: Database, time: Time, issued: issuing.Issued, sent: list[str]
) -> None:
    rings = [Keyring(db, [SECRET], clock=time.clock, now=time.now) for _ in range(2)]
    used = []
    for _ in range(3):
        for ring in rings:
            key = ring.find(issued.text)
            if ring.should_touch(key):
                ring.touch(key)
            assert not ring.should_touch(key)
        used.append(row(db, issued.key).last_used_at)
        time.seconds += TOUCH_EVERY_SECONDS

    assert 3 == len([statement for statement in sent if statement.startswith("UPDATE")])
    assert 3 == len(set(used))


def test_the_use_is_written_after_the_answer_was_sent(keyed_app: Flask, db: Database) -> None:
    key = new_key(keyed_app, tenant=new_id("tenant"))
    found = Keyring(db, [SECRET]).find(key)
    answer = keyed_app.test_client().get("/api/v1/sessions", headers={"X-API-Key": key})

    assert (200, None) == (answer.status_code, row(db, found).last_used_at)
    answer.close()
    assert row(db, found).last_used_at is not None
