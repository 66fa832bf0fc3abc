"""Every setting of the service, read from the environment and `.env`, validated at start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import TypeVar, cast

import platformdirs
from environs import Env, EnvValidationError
from marshmallow import ValidationError, validate

from . import values
from .errors import ConfigError

Faults = dict[str, list[str]]
T = TypeVar("T")


@dataclass(frozen=True)
class Settings:
    """What docs/configuration.md describes, under the same names in lower case."""

    database_url: str | None = field(repr=False)
    database_pool_size: int
    database_max_overflow: int
    database_pool_pre_ping: bool
    session_api_data_dir: Path
    api_host: str
    api_port: int
    api_workers: int
    api_connections: int
    api_max_body_bytes: int
    auth_mode: str
    api_key_secret: str | None = field(repr=False)
    docs_access: str
    metrics_access: str
    proxy_count: int
    cors_origins: tuple[str, ...]
    rate_limit: str | None
    rate_limit_storage_url: str | None = field(repr=False)
    log_level: str
    log_format: str
    environment: str
    retry_attempts: int
    retry_backoff_multiplier: float
    retry_backoff_min: float
    retry_backoff_max: float

    @property
    def production(self) -> bool:
        return self.environment == "production"

    @property
    def api_key_secrets(self) -> list[str]:
        """The first one makes hashes of keys; each may have made those that are stored."""
        return values.secrets(self.api_key_secret) if self.api_key_secret else []

    @property
    def listens_on_loopback(self) -> bool:
        try:
            return ip_address(self.api_host).is_loopback
        except ValueError:
            return self.api_host == "localhost"


def load(dotenv: Path | None = None) -> Settings:
    """Read the settings; the process's environment wins over the `.env` file of the working directory.

    Raises ConfigError, which names every fault at once and repeats no value, since a value may be a secret.
    """
    env = Env(eager=False)
    path = dotenv or Path.cwd() / ".env"
    try:
        env.read_env(path, recurse=False)
    except (OSError, ValueError) as error:
        raise ConfigError({str(path): [f"Cannot be read ({type(error).__name__})."]}) from None
    environment = _choice(env, "ENVIRONMENT", "development", str.lower, "development test staging production")
    access = "key" if environment == "production" else "open"
    settings = Settings(
        database_url=env.str("DATABASE_URL", None, validate=values.check_database_url),
        database_pool_size=env.int("DATABASE_POOL_SIZE", 8, validate=_range(1, 1000)),
        database_max_overflow=env.int("DATABASE_MAX_OVERFLOW", 2, validate=_range(0, 1000)),
        database_pool_pre_ping=env.bool("DATABASE_POOL_PRE_PING", False),
        session_api_data_dir=env.path("SESSION_API_DATA_DIR", _default_data_dir()),
        api_host=env.str("API_HOST", "127.0.0.1", validate=validate.Length(min=1)),
        api_port=env.int("API_PORT", 8001, validate=_range(1, 65535)),
        api_workers=env.int("API_WORKERS", 2, validate=_range(1, 256)),
        api_connections=env.int("API_CONNECTIONS", 1000, validate=_range(1, 100_000)),
        api_max_body_bytes=env.int("API_MAX_BODY_BYTES", 16 * 1024 * 1024, validate=_range(1024, 2**30)),
        auth_mode=_choice(env, "AUTH_MODE", "keys", str.lower, "keys none"),
        api_key_secret=env.str("API_KEY_SECRET", None, validate=values.check_secrets) or None,
        docs_access=_choice(env, "DOCS_ACCESS", access, str.lower, "open key off"),
        metrics_access=_choice(env, "METRICS_ACCESS", access, str.lower, "open key off"),
        proxy_count=env.int("PROXY_COUNT", 0, validate=_range(0, 16)),
        cors_origins=_read(env, "CORS_ORIGINS", values.origins),
        rate_limit=env.str("RATE_LIMIT", None, validate=values.check_rate_limit) or None,
        rate_limit_storage_url=env.str("RATE_LIMIT_STORAGE_URL", None, validate=values.check_storage_url) or None,
        log_level=_choice(env, "LOG_LEVEL", "INFO", str.upper, "DEBUG INFO WARNING ERROR CRITICAL"),
        log_format=_choice(env, "LOG_FORMAT", "json", str.lower, "json text"),
        environment=environment,
        retry_attempts=env.int("RETRY_ATTEMPTS", 3, validate=_range(1, 20)),
        retry_backoff_multiplier=env.float("RETRY_BACKOFF_MULTIPLIER", 2.0, validate=_range(1, 10)),
        retry_backoff_min=env.float("RETRY_BACKOFF_MIN", 0.05, validate=_range(0, 60)),
        retry_backoff_max=env.float("RETRY_BACKOFF_MAX", 1.0, validate=_range(0, 60)),
    )
    _check(env, settings)
    return settings


def _check(env: Env, settings: Settings) -> None:
    """Add what only shows when two settings are seen together, then raise for all faults found."""
    faults: Faults = {}
    try:
        env.seal()
    except EnvValidationError as error:
        faults = {name: [str(text) for text in texts] for name, texts in cast(Faults, error.error_messages).items()}
    if not faults.keys() & {"RETRY_BACKOFF_MIN", "RETRY_BACKOFF_MAX"} and (
        settings.retry_backoff_min > settings.retry_backoff_max
    ):
        faults["RETRY_BACKOFF_MIN"] = ["Must not be greater than RETRY_BACKOFF_MAX."]
    if settings.environment == "production" and settings.database_url is None and "DATABASE_URL" not in faults:
        faults["DATABASE_URL"] = ["Must be set when ENVIRONMENT is production."]
    if settings.auth_mode == "keys" and settings.api_key_secret is None and "API_KEY_SECRET" not in faults:
        faults["API_KEY_SECRET"] = [
            f"Must be set, to {values.SECRET_LENGTH} random characters or more, unless AUTH_MODE is none."
        ]
    if settings.auth_mode == "none" and settings.production:
        faults["AUTH_MODE"] = ["Must not be none when ENVIRONMENT is production."]
    for name, access in (("DOCS_ACCESS", settings.docs_access), ("METRICS_ACCESS", settings.metrics_access)):
        if settings.auth_mode == "none" and not settings.production and access == "key":
            faults[name] = ["Must not be key when AUTH_MODE is none: no key would be asked for."]
    if settings.rate_limit and not faults.keys() & {"RATE_LIMIT", "RATE_LIMIT_STORAGE_URL", "API_WORKERS"}:
        if settings.rate_limit_storage_url is None:
            faults["RATE_LIMIT_STORAGE_URL"] = ["Must be set when RATE_LIMIT is."]
        elif settings.rate_limit_storage_url == "memory://" and settings.api_workers > 1:
            faults["RATE_LIMIT_STORAGE_URL"] = [
                "Must not be memory:// unless API_WORKERS is 1: each counts for itself."
            ]
    if faults:
        raise ConfigError(faults)


def _range(low: float, high: float) -> validate.Range:
    return validate.Range(min=low, max=high, error=f"Must be between {low} and {high}.")


def _choice(env: Env, name: str, default: str, normal_form: Callable[[str], str], choices: str) -> str:
    def one_of(value: str) -> None:
        if normal_form(value.strip()) not in choices.split():
            raise ValidationError(f"Must be one of {', '.join(choices.split())}.")

    return normal_form((env.str(name, default, validate=one_of) or default).strip())


def _read(env: Env, name: str, reader: Callable[[str], T]) -> T:
    """What the reader makes of the text, or of an empty one where it is refused or not set."""

    def readable(value: str) -> None:
        reader(value)

    return reader(env.str(name, "", validate=readable) or "")


def _default_data_dir() -> Path:
    try:
        return platformdirs.user_data_path("strands-session-api", appauthor=False)
    except RuntimeError:  # a user without a home, to whom no $HOME is given either
        return Path("/var/lib/strands-session-api")
