"""Who may import whom, and what a route may hold; docs/architecture.md draws it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from .conftest import ROOT

PACKAGE = ROOT / "session_api"
CLIENT = ROOT / "client" / "strands_session_client"

# By module or package of session_api: what of ours it may import.
ALLOWED = {
    "errors": set(),
    "version": set(),
    "examples": set(),
    "narrow": set(),
    "weight": set(),
    "flaws": {"narrow"},
    "strict_json": {"errors", "flaws", "narrow", "weight"},
    "allocator": set(),
    "quoting": {"strict_json"},
    "fields": {"strict_json"},
    "schemas": {"fields", "strict_json"},
    "values": set(),
    "config": {"errors", "values"},
    "models": set(),
    "breaker": set(),
    "caller": set(),
    "gate": set(),
    "watch": set(),
    "deadline": {"watch"},
    "addresses": {"deadline"},
    "verdicts": set(),
    "metrics": {"errors"},
    "pool": {"gate", "metrics", "store"},
    "engine": {"config", "values", "addresses", "breaker", "deadline", "quoting", "strict_json"},
    "retries": {"errors", "config", "deadline", "metrics", "verdicts"},
    "db": {"errors", "config", "breaker", "caller", "deadline", "engine", "gate", "pool", "retries", "verdicts"},
    "render": {"models"},
    "key_text": set(),
    "key_table": {"models"},
    "store": {"errors", "models", "key_table", "store"},
    "logs": {"errors"},
    "issuing": {"errors", "db", "key_text", "key_table", "store"},
    "keyring": {"errors", "caller", "db", "deadline", "logs", "key_text", "key_table", "store"},
    "call": {"key_table"},
    "auth": {"errors", "call", "models", "key_table", "keyring"},
    "erasure": {"breaker", "config", "db", "keyring", "store"},
    "terminal": {"errors", "fields", "logs"},
    "commands": {"errors", "config", "db", "key_table", "issuing", "erasure", "store", "terminal"},
    "telemetry": {"errors", "call", "caller", "headers", "logs", "metrics"},
    "headers": set(),
    "rate": {"errors", "call", "config", "problems"},
    "cors": set(),
    "problems": {"errors", "call", "render"},
    "embedded": {"errors", "config"},
    "distribute": {"errors", "store"},
    "tracing": {"errors", "call", "pool", "version"},
    "worker": {"call", "watch"},
    "refusals": {"problems"},
    "uncaught": {"errors", "logs"},
    "serving": {"allocator", "errors", "config", "logs", "metrics", "refusals", "tracing", "uncaught"},
    "web": {
        "web", "auth", "store", "schemas", "fields", "db", "errors", "render", "problems", "examples",
        "strict_json"
    },
    "routes": {"web", "call", "metrics", "store", "schemas", "auth", "models", "errors", "examples", "version"},
}  # fmt: skip

KNOW_FLASK = {
    "__init__",
    "routes",
    "web",
    "problems",
    "auth",
    "telemetry",
    "headers",
    "cors",
    "rate",
    "worker",
    "cli",
    "commands",
    "distribute",
    "tracing",
    "terminal",
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Dotted names, relative imports made absolute."""
    package = ["session_api", *path.relative_to(PACKAGE).parts[:-1]]
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return names


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_what_lies_below_it(path: Path) -> None:
    if part(path) in ("__init__", "cli"):
        return  # they wire everything
    ours = {name.split(".")[1] for name in imported(path) if name.startswith("session_api.")}

    assert set() == ours - ALLOWED[part(path)]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_outer_ring_knows_flask(path: Path) -> None:
    knows = any(name.split(".")[0] in {"flask", "werkzeug", "webargs", "flask_smorest"} for name in imported(path))

    assert not knows or part(path) in KNOW_FLASK


def test_the_client_never_imports_the_service_nor_its_libraries() -> None:
    for path in CLIENT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            assert not {name.split(".")[0] for name in names} & {"session_api", "flask", "sqlalchemy", "psycopg2"}


@pytest.mark.parametrize("path", sorted((PACKAGE / "routes").glob("*.py")), ids=lambda path: path.stem)
def test_no_route_holds_a_try_a_log_call_or_a_commit(path: Path) -> None:
    tree = ast.parse(path.read_text())
    called = {node.func.attr for node in ast.walk(tree) if isinstance(node, ast.Call) and hasattr(node.func, "attr")}

    assert not any(isinstance(node, (ast.Try, ast.With)) for node in ast.walk(tree))
    assert not called & {"commit", "rollback", "debug", "info", "warning", "error", "exception", "log"}


def test_no_store_function_commits() -> None:
    for path in (PACKAGE / "store").glob("*.py"):
        assert "commit" not in path.read_text().replace("never commit", "")
