"""What a revision may do: judged by reading it, for the code of the release before and for a spread schema."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from .conftest import ROOT

REVISIONS = {
    path.name: path.read_text() for path in (ROOT / "migrations/versions").glob("*.py") if path.stem != "__init__"
}


def told(revision: str, word: str) -> bool:
    """Whether the revision's docstring has a line on it."""
    return bool(re.search(rf"^{word}: ", ast.get_docstring(ast.parse(revision)) or "", re.MULTILINE))


LIMITS = ("drop_", "rename_", "alter_", "execute", "create_unique", "create_check", "create_foreign")


def limits(revision: str) -> set[str]:
    """What in the revision's `upgrade` code of the release before may stumble over: such calls, and SQL of its own."""
    upgrade = next(node for node in ast.parse(revision).body if getattr(node, "name", None) == "upgrade")
    called = {ast.unparse(node.func).split(".")[-1] for node in ast.walk(upgrade) if isinstance(node, ast.Call)}
    return {name for name in called if name.startswith(LIMITS)}


def test_a_revision_that_takes_something_away_says_why_old_code_can_do_without() -> None:
    assert REVISIONS
    for name, text in REVISIONS.items():
        # Old and new code run side by side during an upgrade: docs/operations.md, expand, then contract.
        assert told(text, "Old code") or not limits(text), f"{name}: {limits(text)}"
    assert {"drop_column", "execute"} == limits(
        "def upgrade():\n    op.drop_column('a', 'b')\n    op.execute('DROP TABLE c')"
    )


# Made before anything can have been spread.
FIRST = {"0001_sessions.py", "0002_api_keys.py"}
UNNAMED = ("create_foreign_key", "create_unique_constraint", "create_check_constraint", "create_primary_key")


def refused(revision: str) -> set[str]:
    """What of the revision's `upgrade` Citus refuses on tables that are spread, or does in one place only."""
    tree = ast.parse(revision)
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}

    def calls(node: ast.AST) -> Iterator[tuple[str, ast.Call]]:
        for call in (found for found in ast.walk(node) if isinstance(found, ast.Call)):
            name = ast.unparse(call.func).split(".")[-1]
            yield name, call
            if name in functions:
                yield from calls(functions[name])

    found = set()
    for name, call in calls(functions["upgrade"]):
        within = {inner for inner, _ in calls(call)}
        keywords = {
            keyword.arg for inner in ast.walk(call) if isinstance(inner, ast.Call) for keyword in inner.keywords
        }
        if (
            name in ("execute", "rename_table", "batch_alter_table", "create_exclude_constraint")
            or (name == "create_table" and within & {"ForeignKey", "ForeignKeyConstraint"})
            or (
                name == "add_column"
                and (within & {"ForeignKey", "CheckConstraint"} or keywords & {"unique", "primary_key"})
            )
            or (name == "alter_column" and "'session_id'" in map(ast.unparse, call.args))
            or (name in UNNAMED and ast.unparse(call.args[0]) == "None")
        ):
            found.add(name)
    return found


def test_a_revision_that_a_spread_schema_does_not_take_says_what_becomes_of_it() -> None:
    assert FIRST <= set(REVISIONS)
    assert {"create_table"} == refused(REVISIONS["0001_sessions.py"])  # its foreign keys are found
    for name in set(REVISIONS) - FIRST:
        # docs/scaling.md, Citus.
        assert told(REVISIONS[name], "Citus") or not refused(REVISIONS[name]), f"{name}: {refused(REVISIONS[name])}"


@pytest.mark.parametrize(
    ("refuses", "line"),
    [
        (True, "op.execute('VACUUM')"),
        (True, "op.add_column('sessions', sa.Column('a', sa.Text, sa.ForeignKey('b.c')))"),
        (True, "op.add_column('sessions', sa.Column('a', sa.Text, unique=True))"),
        (True, "op.alter_column('sessions', 'session_id', type_=sa.Text)"),
        (True, "op.create_foreign_key(None, 'a', 'b', ['session_id'], ['session_id'])"),
        (False, "op.create_foreign_key('fk_a_b', 'a', 'b', ['session_id'], ['session_id'])"),
        (False, "op.add_column('sessions', sa.Column('a', sa.Text, nullable=True))"),
        (False, "op.create_index('ix_a', 'sessions', ['session_id', 'a'])"),
        (False, "op.create_table('a', sa.Column('session_id', sa.Text, primary_key=True))"),
    ],
)
def test_what_citus_refuses_is_recognised(refuses: bool, line: str) -> None:
    assert refuses == bool(refused(f"def upgrade():\n    {line}"))
