"""Decides when work is run again after PostgreSQL could not answer, and what the outcome of several tries means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential

from . import deadline, metrics
from .config import Settings
from .errors import Conflict, DatabaseUnavailable, Gone, PreconditionFailed
from .verdicts import Verdict

T = TypeVar("T")


class Trouble(Exception):
    """PostgreSQL cannot answer now; what that means is in the verdict."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.reason)
        self.verdict = verdict

    def unavailable(self, *, lost: bool) -> DatabaseUnavailable:
        """The same for the caller; `lost` says that the link broke while work was under way that may have been done."""
        verdict = self.verdict
        applied = "unknown" if lost else False
        return DatabaseUnavailable(verdict.reason, applied=applied, retry_after=verdict.retry_after)


class Retries:
    """As many tries as the verdict on each trouble allows, with waits between them. Safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        self._attempts = settings.retry_attempts
        self.retrying = Retrying(
            retry=retry_if_exception_type(Trouble),
            stop=self._gives_up,
            wait=wait_random_exponential(
                multiplier=settings.retry_backoff_min or 0.001,
                exp_base=settings.retry_backoff_multiplier,
                max=settings.retry_backoff_max,
            ),
            reraise=True,
        )

    def after(self, first: Trouble, writes: bool, work: Callable[[], T]) -> T:
        """Count `first` as the first try, and try on. After a lost link, what a first try would have left there means
        that it was applied.

        Raises what the work raises, and DatabaseUnavailable for the last trouble.
        """
        lost = False
        last: Trouble | None = None

        def attempt() -> T:
            nonlocal lost, last
            try:
                if last is None:
                    raise first
                metrics.RETRIES.labels(last.verdict.reason).inc()
                return work()
            except Trouble as trouble:
                last = trouble
                lost = lost or (writes and trouble.verdict.lost)
                raise

        try:
            # A copy, since tenacity keeps the last call of a thread, and with it what was to be stored.
            return self.retrying.copy()(attempt)
        except Trouble as trouble:
            raise trouble.unavailable(lost=lost) from trouble.__cause__
        except Conflict as conflict:
            if not lost or conflict.stored is None:
                raise
            return cast(T, conflict.stored)
        except Gone:
            if not lost:
                raise
            return cast(T, None)
        except PreconditionFailed:
            if not lost:
                raise
            # The version may be another one because the first try was applied.
            raise first.unavailable(lost=True) from first.__cause__

    def _gives_up(self, state: RetryCallState) -> bool:
        trouble = cast(Trouble, cast(Any, state.outcome).exception())
        tries = trouble.verdict.tries or self._attempts
        return state.attempt_number >= tries or state.upcoming_sleep > deadline.left() / 2
