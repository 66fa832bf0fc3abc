"""Keys: who holds one, what it allows, until when."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import DateTime, bindparam, delete, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from ..errors import Conflict, NotFound
from ..key_table import ApiKey, api_keys

_COLUMNS = [api_keys.c[name] for name in ApiKey._fields]
_SELECT = select(*_COLUMNS).order_by(api_keys.c.tenant_id, api_keys.c.created_at)
_FIND = select(*_COLUMNS, api_keys.c.hash).where(api_keys.c.hash.in_(bindparam("hashes", expanding=True)))
_TOUCH_AFTER = timedelta(minutes=1)


def find(tx: Connection, hashes: Collection[bytes]) -> tuple[ApiKey, bytes] | None:
    """The key with one of these hashes, valid or not, and the hash itself."""
    found = tx.execute(_FIND, {"hashes": list(hashes)}).one_or_none()
    return None if found is None else (ApiKey(*found[:-1]), found.hash)


def is_due(key: ApiKey, now: datetime) -> bool:
    """Whether its use should be noted: `last_used_at` is exact to a minute."""
    return key.last_used_at is None or key.last_used_at <= now - _TOUCH_AFTER


def touch(tx: Connection, key_id: str, now: datetime) -> None:
    """Note that the key was used, unless another process did within the last minute."""
    used = api_keys.c.last_used_at
    is_due = or_(used.is_(None), used <= now - _TOUCH_AFTER)
    tx.execute(update(api_keys).where(api_keys.c.key_id == key_id, is_due).values(last_used_at=now))


def create(tx: Connection, new: ApiKey, hash: bytes) -> ApiKey:
    """Insert a key. Raises Conflict when its id is taken by another one."""
    values = {**new._asdict(), "hash": hash}
    tx.execute(insert(api_keys).values(values).on_conflict_do_nothing())
    return _stored(tx, new, hash)


def replace(tx: Connection, old_id: str, new: ApiKey, hash: bytes, old_until: datetime | None) -> ApiKey:
    """Insert a key beside an old one, which lives until `old_until` if that is sooner, in one statement.

    Raises NotFound when there is no such old key that has not been revoked.
    """
    old = (
        update(api_keys)
        .where(api_keys.c.key_id == old_id, api_keys.c.revoked_at.is_(None))
        # LEAST takes NULL for the latest of all times.
        .values(expires_at=func.least(api_keys.c.expires_at, literal(old_until, DateTime(timezone=True))))
        .returning(api_keys.c.key_id)
        .cte("old")
    )
    values: dict[str, Any] = {**new._asdict(), "hash": hash}
    row = select(*(literal(value, api_keys.c[name].type) for name, value in values.items())).select_from(old)
    tx.execute(insert(api_keys).from_select(list(values), row).on_conflict_do_nothing())
    return _stored(tx, new, hash)


def read(tx: Connection, key_id: str) -> ApiKey:
    """The key of this id. Raises NotFound."""
    found = tx.execute(_SELECT.where(api_keys.c.key_id == key_id)).one_or_none()
    if found is None:
        raise NotFound("key")
    return ApiKey(*found)


def list_(tx: Connection, tenant_id: str | None = None) -> list[ApiKey]:
    """All keys, or those of one tenant; the oldest first."""
    statement = _SELECT if tenant_id is None else _SELECT.where(api_keys.c.tenant_id == tenant_id)
    return [ApiKey(*row) for row in tx.execute(statement)]


def revoke(tx: Connection, key_id: str, now: datetime) -> ApiKey:
    """End a key; one that was revoked before keeps its time. Raises NotFound."""
    since = func.coalesce(api_keys.c.revoked_at, now)
    statement = update(api_keys).where(api_keys.c.key_id == key_id).values(revoked_at=since).returning(*_COLUMNS)
    found = tx.execute(statement).one_or_none()
    if found is None:
        raise NotFound("key")
    return ApiKey(*found)


def delete_all(tx: Connection, tenant_id: str) -> list[ApiKey]:
    """Delete every key of a tenant, and return them."""
    statement = delete(api_keys).where(api_keys.c.tenant_id == tenant_id).returning(*_COLUMNS)
    return [ApiKey(*row) for row in tx.execute(statement)]


def _stored(tx: Connection, new: ApiKey, hash: bytes) -> ApiKey:
    """What an insert left, also when a first try, whose answer was lost, had done it already."""
    found = find(tx, [hash])
    if found is not None:
        return found[0]
    read(tx, new.key_id)
    raise Conflict("key", stored=None)
