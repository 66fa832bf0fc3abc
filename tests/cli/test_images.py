"""Dockerfiles and compose files: linted, validated, and the agent's image made as far as that goes without Docker."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.conftest import free_port, new_id, wait_until_ready

from .conftest import Installed, files, make_environment
from .processes import Api

BIN = Path(sys.executable).parent


def check_compose(file: Path) -> None:
    done = subprocess.run(
        [BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", file], capture_output=True, text=True
    )
    assert 0 == done.returncode, done.stdout


def test_the_compose_file_is_valid_and_declares_what_it_uses(project):
    file = project / "session_backend/compose.yaml"

    check_compose(file)
    document = YAML(typ="safe").load(file)
    used = {
        volume.partition(":")[0] for service in document["services"].values() for volume in service.get("volumes", [])
    }
    waited_for = {name for service in document["services"].values() for name in service.get("depends_on", {})}
    assert used == document["volumes"].keys()
    assert waited_for <= document["services"].keys()


def test_the_backend_is_published_on_loopback_only_and_the_database_nowhere(project):
    services = YAML(typ="safe").load(project / "session_backend/compose.yaml")["services"]

    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert {"session-api": ["127.0.0.1:${API_PORT:-8001}:8001"]} == published


def test_the_compose_file_and_its_example_name_the_same_settings(project):
    used = set(re.findall(r"\$\{([A-Z_]+)", (project / "session_backend/compose.yaml").read_text()))
    offered = set(re.findall(r"^#? ?([A-Z_]+)=", (project / "session_backend/.env.example").read_text(), re.MULTILINE))

    assert used == offered


@pytest.mark.parametrize("kind", ["file", "postgresql"])
def test_dockerfiles_are_without_a_finding(here, cli, kind):
    cli.ok("init", "my-agent", "--session-state", kind)

    dockerfiles = list((here / "my-agent").rglob("Dockerfile"))
    done = subprocess.run([BIN / "hadolint", *dockerfiles], capture_output=True, text=True)
    assert (0, "") == (done.returncode, done.stdout)
    assert (2 if kind == "postgresql" else 1) == len(dockerfiles)


def test_the_backends_image_derives_from_the_released_one(project):
    lines = (project / "session_backend/Dockerfile").read_text().splitlines()

    assert ["ARG SESSION_API_IMAGE=strands-session-api:0.1.0", "FROM ${SESSION_API_IMAGE}"] == [
        line for line in lines if not line.startswith("#")
    ]


def instructions(dockerfile: Path) -> list[tuple[str, str]]:
    text = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", dockerfile.read_text(), flags=re.MULTILINE))
    return [tuple(line.split(None, 1)) for line in text.splitlines() if line.strip()]


def in_context(project: Path) -> list[str]:
    """The files that .dockerignore lets into the build, by its rules: the last that fits decides."""
    rules = (project / ".dockerignore").read_text().split()
    kept = []
    for path in (str(path.relative_to(project)) for path in project.rglob("*") if path.is_file()):
        ignored = False
        for rule in rules:
            pattern = rule.removeprefix("!").removeprefix("**/")
            parts = [path, *(str(parent) for parent in Path(path).parents)]
            if any(fnmatch(part, pattern) or (rule.startswith("**/") and pattern in part.split("/")) for part in parts):
                ignored = not rule.startswith("!")
        if not ignored:
            kept.append(path)
    return kept


def test_the_agents_image_is_made_and_runs_as_its_dockerfile_says(installed: Installed, live_url, tmp_path):
    project = installed.directory
    steps = instructions(project / "deployment/docker/Dockerfile")
    app, context = tmp_path / "app", tmp_path / "context"
    for path in in_context(project):
        (context / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(project / path, context / path)
        (context / path).chmod(0o600)  # as a strict umask leaves it
    python = make_environment(tmp_path / "environment")
    port = str(free_port())
    command: list[str] = []
    probe: list[str] = []
    for name, rest in steps:
        if name == "RUN" and "pip install" in rest:
            mounted, run = re.fullmatch(r"--mount=type=bind,source=(\S+),target=/requirements (.*)", rest).groups()
            words = shlex.split(re.sub(r"(?<= )/requirements", str(context / mounted), run))
            # Offline: every requirement has to be met by what is here already.
            pip = [sys.executable, "-m", "pip", "--python", str(python)]
            done = subprocess.run([*pip, *words[1:], "--no-index"], capture_output=True, text=True)
            assert 0 == done.returncode, done.stderr
        elif name == "RUN" and rest.startswith("chmod"):
            subprocess.run(["sh", "-ec", rest], cwd=app, check=True)
        elif name == "COPY":
            source, target = rest.split()
            shutil.copytree(context / source, app / target)
        elif name == "CMD":
            command = json.loads(rest.replace("8000", port).replace("0.0.0.0", "127.0.0.1"))
        elif name == "HEALTHCHECK":
            probe = json.loads(rest.partition("CMD ")[2].replace("8000", port))
        elif name == "USER":
            assert 10000 <= int(rest.partition(":")[0])
    before = files(app)
    unreadable = [path for path in app.rglob("*") if path.stat().st_mode & 0o044 != 0o044]
    sessions = tmp_path / "sessions"

    log = tmp_path / "log"
    environment = {
        "MODEL": "scripted",
        "SESSION_BACKEND_URL": live_url,
        "SESSION_DIR": str(sessions),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    with log.open("w") as output:
        process = subprocess.Popen([python, "-m", *command], cwd=app, env=environment, stdout=output, stderr=output)
    wait_until_ready(f"http://127.0.0.1:{port}", process, log, "/health")
    api = Api.__new__(Api)
    api.url = f"http://127.0.0.1:{port}"
    answer = api.say(new_id(), "Hello.")
    well = subprocess.run([python, *probe[1:]], check=False).returncode
    process.terminate()
    code = process.wait(30)
    ill = subprocess.run([python, *probe[1:]], check=False, stderr=subprocess.DEVNULL).returncode

    assert [] == unreadable
    assert ["api", "agent", "deployment"] == sorted({Path(path).parts[0] for path in in_context(project)}, key=len)
    assert "I will remember that." == answer
    assert (0, True) == (well, ill != 0)
    assert code in (0, -15)
    assert before == files(app)
