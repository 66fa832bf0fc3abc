"""What can fail, named where it is known; errors become HTTP answers in problems.py only.

Failure
├── ConfigError           the environment cannot be used
├── CitusMissing          the tables can be spread on Citus only
├── Invalid               400  a body, an id or a query is refused
├── Unauthenticated       401  no valid key came along
├── Forbidden             403  the key lacks the scope
├── NotModified           304  the caller has this version already (an answer, not an error)
├── NotFound              404  the resource, its parent or the route is missing
│   └── Gone              404  it was to be deleted
├── Conflict              409  the id is taken
├── PreconditionFailed    412  If-Match is stale
├── RateLimited           429  the caller asks too often
├── CallerGone            499  nobody waits for the answer any more
└── DatabaseUnavailable   503  PostgreSQL cannot answer now
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Details = Mapping[str, object]


class Failure(Exception):
    """Anything that this service reports in words of its own; the text is safe to show to the caller."""

    message = "The request failed."
    details: Details | None = None

    def __str__(self) -> str:
        return self.message


class ConfigError(Failure):
    """Settings that cannot be used: every fault by the name of its variable."""

    title = "The configuration is not valid."

    def __init__(self, faults: Mapping[str, Sequence[str]]) -> None:
        self.details = faults
        lines = (f"  {name}: {' '.join(sentences)}" for name, sentences in sorted(faults.items()))
        self.message = "\n".join([f"{self.title[:-1]}:", *lines])


class CitusMissing(Failure):
    message = (
        "This database has no Citus: `flask distribute` needs a coordinator of a Citus cluster, where somebody has run "
        "CREATE EXTENSION citus in this database."
    )


class Invalid(Failure):
    """Input that is refused: `details` holds sentences by the path of the field."""

    def __init__(self, faults: Mapping[str, Sequence[str]]) -> None:
        self.details = {path: list(sentences) for path, sentences in faults.items()}
        path, sentences = next(iter(faults.items()))
        more = f" ({len(faults) - 1} more in details)" if len(faults) > 1 else ""
        self.message = f"{path}: {sentences[0]}{more}"


class Unauthenticated(Failure):
    """No key, a wrong, an expired or a revoked one: strangers are not told which."""

    message = "A valid key is needed, as `Authorization: Bearer sk_...` or `X-API-Key: sk_...`."


class Forbidden(Failure):
    """The key is valid, but was not given this scope."""

    def __init__(self, scope: str) -> None:
        self.details = {"scope": scope}
        self.message = f"The key does not allow this: it lacks the scope {scope}."


class NotModified(Failure):
    """The caller named the version that is stored; its documents were not read."""

    def __init__(self, version: int) -> None:
        self.version = version


class NotFound(Failure):
    """`resource` is session, agent, message, multi_agent or route; for commands also key or tenant."""

    def __init__(self, resource: str) -> None:
        self.details = {"resource": resource}
        self.message = f"There is no such {resource.replace('_', '-')}."


class Gone(NotFound):
    """What was to be deleted is not there; after a lost link, that is what the first try would have left."""


class Conflict(Failure):
    """The id is taken; `stored` is the row that is there when it equals what was sent, else None."""

    def __init__(self, resource: str, *, stored: object | None) -> None:
        self.stored = stored
        identical = stored is not None
        self.details = {"resource": resource, "identical": identical}
        same = "the same" if identical else "other"
        one = f"{'An' if resource == 'agent' else 'A'} {resource.replace('_', '-')}"
        self.message = f"{one} with this id exists already, with {same} content."


class PreconditionFailed(Failure):
    message = "The resource was changed since the version that If-Match names: read it again."


class RateLimited(Failure):
    """The caller asks too often; `retry_after` is in seconds."""

    message = "Too many requests: wait for as long as Retry-After says."

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after


class CallerGone(Failure):
    message = "The client closed its connection before the write began: nothing was done."


class DatabaseUnavailable(Failure):
    """PostgreSQL cannot answer now.

    `applied` is False when the write certainly did not happen and "unknown" when the link broke while it may
    have; `retry_after` is in seconds.
    """

    def __init__(self, reason: str, *, applied: bool | str = False, retry_after: int = 1) -> None:
        self.reason = reason
        self.details = {"reason": reason, "applied": applied}
        self.retry_after = retry_after
        self.message = f"The database cannot answer now: {reason}."
