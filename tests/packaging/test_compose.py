"""compose.yaml and the .env that it reads, as far as they can be judged without Docker."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ..conftest import ROOT

COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
OURS = ("api", "migrate")
OF_OTHERS = ("PGADMIN_PASSWORD", "POSTGRES_PASSWORD")


def test_it_follows_the_compose_specification() -> None:
    checker = Path(sys.executable).parent / "check-jsonschema"
    found = subprocess.run(
        [checker, "--builtin-schema", "vendor.compose-spec", "compose.yaml"], cwd=ROOT, capture_output=True, text=True
    )

    assert 0 == found.returncode, found.stdout


def test_every_network_and_volume_that_is_used_is_declared_and_the_other_way_round() -> None:
    networks = {name for service in SERVICES.values() for name in service["networks"]}
    mounts = [mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])]

    assert set(COMPOSE["networks"]) == networks
    assert set(COMPOSE["volumes"]) == {source for source in mounts if not source.startswith(".")}
    assert all((ROOT / source).is_file() for source in mounts if source.startswith("."))


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_limits_a_restart_policy_and_gives_nobody_more_rights(name: str) -> None:
    limits = SERVICES[name]["deploy"]["resources"]["limits"]

    assert {"cpus", "memory", "pids"} == set(limits)
    assert ("no" if name == "migrate" else "unless-stopped") == SERVICES[name]["restart"]
    assert ["no-new-privileges:true"] == SERVICES[name]["security_opt"]


def test_only_this_machine_reaches_the_ports_and_the_database_has_none() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert {"api": ["127.0.0.1:8001:8001"], "pgadmin": ["127.0.0.1:8080:80"]} == ports
    assert ["database"] == SERVICES["db"]["networks"]
    assert COMPOSE["networks"]["database"]["internal"]


def test_the_service_waits_for_a_migration_that_waits_for_the_database() -> None:
    assert ["flask", "db", "upgrade"] == SERVICES["migrate"]["command"]
    assert {"condition": "service_healthy"} == SERVICES["migrate"]["depends_on"]["db"]
    assert {"condition": "service_completed_successfully"} == SERVICES["api"]["depends_on"]["migrate"]
    assert "healthcheck" in SERVICES["db"]
    assert {"image": "postgres:18", "volumes": SERVICES["db"]["volumes"]}.items() <= SERVICES["db"].items()


def test_the_service_runs_on_a_read_only_file_system_without_capabilities() -> None:
    for name in ("api", "migrate"):
        assert (True, ["ALL"], ["/tmp"]) == tuple(SERVICES[name][key] for key in ("read_only", "cap_drop", "tmpfs"))


def test_pgadmin_starts_only_when_it_is_asked_for() -> None:
    assert {"pgadmin": ["dev-tools"]} == {name: it["profiles"] for name, it in SERVICES.items() if "profiles" in it}


def test_every_secret_comes_from_env_and_none_has_a_default() -> None:
    names = re.findall(r"\$\{(\w+)(:?[?-])", (ROOT / "compose.yaml").read_text())
    example = (ROOT / ".env.example").read_text()

    assert {":?"} == {how for _, how in names}
    assert {name for name, _ in names} == set(re.findall(r"^(\w+)=$", example, re.MULTILINE))
    for service, described in SERVICES.items():
        for name, value in described.get("environment", {}).items():
            is_taken_away = service in OURS and name in OF_OTHERS and value == ""
            if re.search("PASSWORD|SECRET", name) and not is_taken_away:
                assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), (service, name)


def test_the_service_does_not_learn_the_passwords_of_others() -> None:
    secrets = set(re.findall(r"^(\w+)=$", (ROOT / ".env.example").read_text(), re.MULTILINE))

    assert secrets == {*OF_OTHERS, "API_KEY_SECRET", "DATABASE_PASSWORD"}
    for name in OURS:
        assert dict.fromkeys(OF_OTHERS, "") == {it: SERVICES[name]["environment"].get(it) for it in OF_OTHERS}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copy(ROOT / ".env.example", tmp_path)
    return tmp_path


def make_env(project: Path) -> tuple[str, dict[str, str]]:
    made = subprocess.run(
        [sys.executable, ROOT / "scripts/env.py", project], capture_output=True, text=True, check=True
    )
    return made.stdout, dict(re.findall(r"^(\w+)=(.*)$", (project / ".env").read_text(), re.MULTILINE))


def test_make_env_makes_a_secret_for_each_name_and_shows_none(project: Path) -> None:
    output, env = make_env(project)

    assert {"POSTGRES_PASSWORD", "DATABASE_PASSWORD", "PGADMIN_PASSWORD", "API_KEY_SECRET"} == set(env)
    assert 4 == len(set(env.values()))
    assert all(re.fullmatch(r"[0-9a-f]{48}", value) for value in env.values())
    assert not any(value in output for value in env.values())
    assert 0o600 == stat.S_IMODE((project / ".env").stat().st_mode)
    assert [".env", ".env.example"] == sorted(path.name for path in project.iterdir())


def test_make_env_keeps_what_is_there_and_adds_what_is_not(project: Path) -> None:
    (project / ".env").write_text("# mine\nLOG_LEVEL=DEBUG\nEMPTY=\nPOSTGRES_PASSWORD=kept\nPGADMIN_PASSWORD=\n")

    _, first = make_env(project)
    _, again = make_env(project)

    assert ("kept", "DEBUG", "") == (first["POSTGRES_PASSWORD"], first["LOG_LEVEL"], first["EMPTY"])
    assert all(len(first[name]) == 48 for name in ("PGADMIN_PASSWORD", "DATABASE_PASSWORD", "API_KEY_SECRET"))
    assert first == again
    assert (project / ".env").read_text().startswith("# mine\n")
