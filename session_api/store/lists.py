"""Lists of the rows of a table: a page as a whole, or what lies behind the rows of it that somebody has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import Table
from sqlalchemy.engine import Connection

from ..errors import NotFound
from ..models import is_document
from . import list_statements, sizes
from .list_statements import Form
from .pages import NOTHING, Known, Listing, Page, SortKey
from .rows import Key
from .statement import Statement

Row = TypeVar("Row")
Filters = Mapping[str, Any]
Found = list[tuple[Any, ...]]


@dataclass(frozen=True, eq=False)
class Lists(Generic[Row]):
    """The lists of one table, sorted by the columns `order`.

    `scope` are the columns that rows of one list have in common; `parent` is the table with the row of these that must
    exist for a list to exist, None for sessions.
    """

    table: Table
    row_type: Callable[..., Row]
    scope: tuple[str, ...]
    parent: Table | None
    parent_resource: str
    order: tuple[str, ...]

    def list_(self, tx: Connection, parent: Key, page: Page, filters: Filters | None = None) -> Listing[Row]:
        """One page in one statement; in a second one where it is empty or too large to be read unseen.

        Raises NotFound for the parent.
        """
        question = _Question(self, tx, parent, page, filters or {})
        found, fitting = question.ask(list_statements.whole, page.limit, {})
        if not found:
            there = question.run(list_statements.without_rows, {})
            if not there:
                raise NotFound(self.parent_resource)
            return self._listing([], 0, page.limit, there[0][0], None, NOTHING)
        width = len(self.names)
        total = found[0][width] if page.with_total else None
        return self._listing([row[:width] for row in found], fitting, page.limit, total, None, NOTHING)

    def list_rest(
        self, tx: Connection, parent: Key, page: Page, filters: Filters | None, known: Known, *, wanted: bool
    ) -> Listing[Row] | None:
        """The page without the rows that are known, in one statement; None if it begins with others by now.

        Unless the rest is `wanted`, it only shows whether there is any. Raises NotFound for the parent.
        """
        left = page.limit - known.number if wanted and not known.is_short else 0
        question = _Question(self, tx, parent, page, filters or {})
        more = {"number": known.number, "versions": known.versions}
        found, fitting = question.ask(list_statements.rest, left, more)
        if not found:
            raise NotFound(self.parent_resource)
        width = len(self.names)
        total, same, *key = found[0][width : width + 2 + len(self.order)]
        rows = [row[:width] for row in found] if found[0][0] is not None else []
        is_longer = len(rows) > left and known.number + left < page.limit and not known.is_short
        return self._listing(rows, fitting, left, total, tuple(key), known) if same and not is_longer else None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns of a row."""
        return cast(tuple[str, ...], cast(Any, self.row_type)._fields)

    @cached_property
    def documents(self) -> tuple[int, ...]:
        """Which of them are documents."""
        return tuple(at for at, name in enumerate(self.names) if is_document(self.table.c[name]))

    def _listing(
        self, rows: Found, fitting: int, limit: int, total: int | None, known_last: SortKey | None, known: Known
    ) -> Listing[Row]:
        page = [*map(cast(Any, self.row_type)._make, rows[: min(limit, fitting)])]
        last = tuple(getattr(page[-1], name) for name in self.order) if page else known_last
        more = len(rows) > len(page)
        return Listing(page, total, more, last, known, is_short=more and (len(page) < limit or known.is_short))


@dataclass(eq=False)
class _Question:
    """Asks for a part of one list."""

    lists: Lists[Any]
    tx: Connection
    parent: Key
    page: Page
    filters: Filters

    def ask(
        self, build: Callable[[Lists[Any], Form], Statement], wanted: int, parameters: Mapping[str, Any]
    ) -> tuple[Found, int]:
        """Up to `wanted` rows and one that shows whether there are more, and how many of them have their documents.

        Mostly all: if none can be larger than its share of `max_bytes`. What can is read again, with its size in view.
        Where none is wanted, no document is read.
        """
        most = self.page.max_bytes
        documents = self.lists.documents
        parameters = {**parameters, "limit": wanted + 1}
        largest = most // ((wanted + 1) * len(documents)) if wanted else 0
        found = self.run(build, {**parameters, "largest": largest})
        if not wanted or not any(sizes.LEFT_OUT in map(itemgetter(at), found) for at in documents):
            return found, len(found)
        found = self.run(build, {**parameters, "max_bytes": most}, bounded=True)
        return found, sum(row[-1] for row in found)

    def run(
        self, build: Callable[[Lists[Any], Form], Statement], more: Mapping[str, Any], *, bounded: bool = False
    ) -> Found:
        page = self.page
        form = Form(page.descending, page.after is not None, page.with_total, frozenset(self.filters), bounded)
        parameters: dict[str, Any] = {
            f"key_{name}": value for name, value in zip(self.lists.scope, self.parent, strict=True)
        }
        parameters |= {f"after_{name}": value for name, value in zip(self.lists.order, page.after or (), strict=False)}
        parameters |= {f"filter_{name}": value for name, value in self.filters.items()}
        return build(self.lists, form).all(self.tx, {**parameters, "offset": page.offset, **more})
