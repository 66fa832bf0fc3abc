"""Who is asking: the tenant whose rows a request may see."""

from __future__ import annotations

from .models import DEFAULT_TENANT


def tenant() -> str:
    """The tenant of the request. Every statement carries it."""
    return DEFAULT_TENANT
