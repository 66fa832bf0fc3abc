"""The schema as migrations make it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

from sqlalchemy import UniqueConstraint, create_engine, func, inspect, select

from session_api import models
from session_api.key_table import api_keys
from session_api.store.schema import LOCK

from .conftest import ROOT, environment

TABLES = {"sessions", "session_agents", "session_messages", "session_multi_agents", "api_keys"}
WAITING = """
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def flask(url: str, *arguments: str, code: Path = ROOT) -> subprocess.Popen[str]:
    """`flask …` as an admin types it in the repository, or in another release's: nothing tells it where the app is."""
    variables = environment(DATABASE_URL=url)
    return subprocess.Popen(
        [sys.executable, "-m", "flask", *arguments],
        cwd=code,
        env={name: value for name, value in variables.items() if not name.startswith("FLASK")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(url: str, *arguments: str, code: Path = ROOT) -> str:
    process = flask(url, *arguments, code=code)
    output = process.communicate(timeout=60)[0]
    assert 0 == process.returncode, output
    return output


def tables(url: str) -> set[str]:
    engine = create_engine(url)
    names = set(inspect(engine).get_table_names())
    engine.dispose()
    return names - {"alembic_version"}


def test_upgrade_downgrade_upgrade_ends_where_the_models_are(fresh_url: str) -> None:
    run(fresh_url, "db", "upgrade")
    assert TABLES == tables(fresh_url)
    run(fresh_url, "db", "downgrade", "base")
    assert set() == tables(fresh_url)
    run(fresh_url, "db", "upgrade")

    assert "No new upgrade operations detected" in run(fresh_url, "db", "check")


def test_several_upgrades_at_once_migrate_once(fresh_url: str) -> None:
    # All of them have got as far as the lock before the first one gets it; no more than that makes them wait.
    engine = create_engine(fresh_url)
    with engine.begin() as holder, engine.connect().execution_options(isolation_level="AUTOCOMMIT") as watcher:
        holder.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")  # the role may have another
        holder.execute(select(func.pg_advisory_xact_lock(LOCK)))
        processes = [flask(fresh_url, "db", "upgrade") for _ in range(3)]
        deadline = monotonic() + 60
        while watcher.exec_driver_sql(WAITING).scalar() < len(processes):
            assert monotonic() < deadline
            sleep(0.05)
    engine.dispose()
    outputs = [process.communicate(timeout=60)[0] for process in processes]

    assert [0, 0, 0] == [process.returncode for process in processes], outputs
    migrations = list((ROOT / "migrations" / "versions").glob("0*.py"))
    assert len(migrations) == sum(output.count("Running upgrade") for output in outputs)


def test_the_release_before_finds_a_newer_schema_and_leaves_it_alone(fresh_url: str) -> None:
    run(fresh_url, "db", "upgrade")
    engine = create_engine(fresh_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'later'")
    output = run(fresh_url, "db", "upgrade")
    downgrade = flask(fresh_url, "db", "downgrade", "base")
    refusal = downgrade.communicate(timeout=60)[0]

    assert "newer release" in output
    assert (1, True) == (downgrade.returncode, "Can't locate revision identified by 'later'" in refusal)
    assert TABLES == tables(fresh_url)
    with engine.connect() as connection:
        assert "later" == connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    engine.dispose()


def test_constraints_have_the_names_and_columns_of_the_models(database_url: str) -> None:
    engine = create_engine(database_url)
    inspector = inspect(engine)
    for name, table in models.metadata.tables.items():
        primary = inspector.get_pk_constraint(name)
        foreign = {key["name"]: key["constrained_columns"] for key in inspector.get_foreign_keys(name)}

        assert (table.primary_key.name, list(table.primary_key.columns.keys())) == (
            primary["name"],
            primary["constrained_columns"],
        )
        assert {key.name: list(key.column_keys) for key in table.foreign_key_constraints} == foreign
        assert {
            constraint.name: list(constraint.columns.keys())
            for constraint in table.constraints
            if isinstance(constraint, UniqueConstraint)
        } == {constraint["name"]: constraint["column_names"] for constraint in inspector.get_unique_constraints(name)}
    engine.dispose()


def test_every_key_is_led_by_session_id_and_nothing_needs_a_sequence_or_a_trigger(database_url: str) -> None:
    # All but the keys of the API: a small table for reference, which every part of a spread database has a copy of.
    for table in set(models.metadata.tables.values()) - {api_keys}:
        assert "session_id" == next(iter(table.primary_key.columns.keys()))
        assert all("session_id" == key.column_keys[0] for key in table.foreign_key_constraints)

    engine = create_engine(database_url)
    with engine.connect() as connection:
        for catalog in ("pg_sequences", "information_schema.triggers"):
            assert 0 == connection.exec_driver_sql(f"SELECT count(*) FROM {catalog}").scalar()
    engine.dispose()


def test_ids_order_by_code_point_whatever_the_database_s_locale(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        collations = connection.exec_driver_sql(
            "SELECT DISTINCT collation_name FROM information_schema.columns"
            " WHERE table_name LIKE 'session%%' AND column_name LIKE '%%\\_id' AND data_type = 'character varying'"
        ).scalars()

        assert ["C"] == list(collations)
    engine.dispose()
