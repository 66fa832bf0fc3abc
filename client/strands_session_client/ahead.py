"""Reads a page in a thread of its own, while the caller reads the one before it."""

import contextvars
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Page = TypeVar("Page")


class Ahead(Generic[Page]):
    """A page that is being read, by its path."""

    def __init__(self, read: Callable[[str], Page], path: str) -> None:
        self._path = path
        self._page: Page | None = None
        self._failure: BaseException | None = None
        # With the caller's context, so that tracing counts the request as the caller's.
        run = contextvars.copy_context().run
        # A daemon: an interpreter that ends need not wait for an answer that nobody will read.
        self._thread = threading.Thread(target=run, args=(self._read, read), name="session-page-ahead", daemon=True)
        self._thread.start()

    def page(self, path: str) -> Page | None:
        """The page, once it is there; None if it is another path that is wanted. Raises what reading it raised."""
        self.wait()
        if path != self._path:
            return None
        if self._failure is not None:
            raise self._failure
        return self._page

    def wait(self) -> None:
        """Return when the thread has ended."""
        self._thread.join()

    def _read(self, read: Callable[[str], Page]) -> None:
        try:
            self._page = read(self._path)
        except BaseException as failure:
            self._failure = failure


def begin(read: Callable[[str], Page], path: str) -> Ahead[Page] | None:
    """Begin to read the page at this path; None where no thread can be had."""
    try:
        return Ahead(read, path)
    except RuntimeError:  # too many of them, or the interpreter is ending
        return None
