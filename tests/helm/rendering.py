"""Renders the chart as `helm template` does: with helm where it is installed, else with the stand-in."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import yaml

from ..conftest import ROOT

CHART = ROOT / "helm" / "session-api"
SECRETS = {
    "apiKeySecret": "0123456789abcdef0123456789abcdef",
    "databaseUrl": "postgresql://someone:hidden-in-the-secret@db.example.com:5432/sessions",
    "postgresPassword": "hidden-of-the-superuser",
    "databasePassword": "hidden-of-the-service",
}
# Each as an operator would give them: a later file wins.
FILES = {
    "defaults": (),
    "development": ("values-development.yaml",),
    "production": ("values-production.yaml",),
    "pgbouncer": ("values-production.yaml", "values-pgbouncer.yaml"),
}

Manifest = dict[str, Any]


def render(
    files: str = "defaults", release: str = "sessions", *, upgrade: bool = False, **values: Any
) -> list[Manifest]:
    """All manifests, with values on top of the files and of secrets."""
    made = _helm("template", files, yaml.safe_dump(values), release, *(["--is-upgrade"] if upgrade else []))
    assert 0 == made.returncode, made.stderr
    return [manifest for manifest in yaml.safe_load_all(made.stdout) if manifest]


def refusal(files: str = "defaults", **values: Any) -> str:
    """What helm says when it does not render."""
    made = _helm("template", files, yaml.safe_dump(values), "sessions")
    assert 0 != made.returncode
    return made.stderr


def lint(files: str) -> subprocess.CompletedProcess[str]:
    return _helm("lint", files, "", "--strict")


def of_kind(manifests: list[Manifest], kind: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def the(manifests: list[Manifest], kind: str) -> Manifest:
    (only,) = of_kind(manifests, kind)
    return only


def pods(manifests: list[Manifest]) -> dict[str, Manifest]:
    """Every pod that the manifests lead to, with its metadata, by kind and name of what makes it."""
    found = {}
    for manifest in manifests:
        if manifest["kind"] == "Pod":
            found[f"Pod/{manifest['metadata']['name']}"] = manifest
        elif "template" in manifest.get("spec", {}):
            found[f"{manifest['kind']}/{manifest['metadata']['name']}"] = manifest["spec"]["template"]
    return found


@cache
def _helm(command: str, files: str, values: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as directory:
        secrets, own = Path(directory) / "secrets.yaml", Path(directory) / "values.yaml"
        secrets.write_text(yaml.safe_dump({"secret": SECRETS}))
        own.write_text(values)
        given = [secrets, *(CHART / name for name in FILES[files]), own]
        options = [option for path in given for option in ("--values", str(path))]
        line = [command, *arguments, str(CHART), *options]
        if helm := shutil.which("helm"):
            return subprocess.run([helm, *line], capture_output=True, text=True)
        return subprocess.CompletedProcess(line, *_process().submit(_stand_in, line).result())


def _stand_in(line: list[str]) -> tuple[int, str, str]:
    from .stand_in import captured

    return captured(line)


@cache
def _process() -> ProcessPoolExecutor:
    """A process of its own: Helm's engine brings threads and signal handlers, which other tests need not meet."""
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))
