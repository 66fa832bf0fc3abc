"""Everything the client raises.

SessionException                          of strands.types.exceptions
└── SessionRepositoryError                anything that went wrong here
    ├── NotFoundError                     404
    │   ├── SessionNotFoundError
    │   ├── AgentNotFoundError
    │   ├── MessageNotFoundError
    │   └── MultiAgentNotFoundError
    ├── ConflictError                     409, the id is taken
    ├── PreconditionFailedError           412, somebody wrote in between
    ├── ValidationError (ValueError)      400, or refused before anything was sent
    ├── AuthenticationError               401, no valid key
    ├── AuthorizationError                403, a key without the right
    ├── PayloadTooLargeError              413
    ├── RateLimitedError                  429, still so after the tries
    ├── UnexpectedAnswerError             not the answer of this service: look at the base URL
    └── DatabaseConnectionError           no answer, or 502, 503, 504, after the tries
        └── InternalServerError           500 and the like: a defect of the service
"""

from typing import Any

from strands.types.exceptions import SessionException


class SessionRepositoryError(SessionException):
    """What went wrong, in a sentence that ends with the request id.

    `request_id` finds the line in the server's log, `status` is the HTTP status, `details` what the server
    said beyond its sentence. Each is None where nothing was sent or nothing came back.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        request_id: str | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{message} (request id {request_id})" if request_id else message)
        self.status = status
        self.request_id = request_id
        self.details = details


class NotFoundError(SessionRepositoryError):
    """What was named does not exist."""


class SessionNotFoundError(NotFoundError):
    """No such session."""


class AgentNotFoundError(NotFoundError):
    """No such agent in the session."""


class MessageNotFoundError(NotFoundError):
    """No such message of the agent."""


class MultiAgentNotFoundError(NotFoundError):
    """No such multi-agent in the session."""


class ConflictError(SessionRepositoryError):
    """The id is taken; `details["identical"]` says whether by the very same content."""


class PreconditionFailedError(SessionRepositoryError):
    """Somebody wrote in between."""


class ValidationError(SessionRepositoryError, ValueError):
    """An id, a document or a setting that can't be used; a ValueError too, as the SDK raises for ids."""


class AuthenticationError(SessionRepositoryError):
    """The service wants a key, or doesn't know the one that was sent."""


class AuthorizationError(SessionRepositoryError):
    """The key is known but may not do this."""


class PayloadTooLargeError(SessionRepositoryError):
    """The document is larger than the service accepts."""


class RateLimitedError(SessionRepositoryError):
    """The service asks to be called less often."""


class UnexpectedAnswerError(SessionRepositoryError):
    """Something answered that is not the session service: the base URL looks wrong."""


class DatabaseConnectionError(SessionRepositoryError):
    """The service or its database could not be reached; a write may or may not have been applied."""


class InternalServerError(DatabaseConnectionError):
    """The service failed by its own defect; the earlier client raised its parent for every 5xx."""
