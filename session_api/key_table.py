"""The table of keys: small and for reference, so it is led by no session_id and spread by no engine."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ARRAY, Column, DateTime, LargeBinary, PrimaryKeyConstraint, String, Table, Text, UniqueConstraint

from .models import ID_MAX_LENGTH, metadata

SCOPES = ("read", "write", "delete", "admin")

api_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", String(ID_MAX_LENGTH, collation="C"), nullable=False),
    Column("tenant_id", String(ID_MAX_LENGTH, collation="C"), nullable=False),
    Column("name", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("last_used_at", DateTime(timezone=True)),
    Column("expires_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("key_id"),
    UniqueConstraint("hash"),
)


class ApiKey(NamedTuple):
    """What is known of a key; its text is known to its holder alone."""

    key_id: str
    tenant_id: str
    name: str
    scopes: list[str]
    created_at: datetime
    last_used_at: datetime | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def state(self, now: datetime) -> str:
        """`valid`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "valid"

    def allows(self, scope: str) -> bool:
        return scope in self.scopes or "admin" in self.scopes
