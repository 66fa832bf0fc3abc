"""What the tests of `strands-session` share: the command, a docker that takes notes, projects that are installed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner, Result

from strands_session_client.cli.commands import strands_session
from tests.conftest import ROOT, free_port

from .processes import Api

COMMAND = [sys.executable, "-m", "strands_session_client.cli"]
SECRETS = ("SESSION_BACKEND_", "AWS_", "MODEL", "API_", "DATABASE_")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No setting of the machine reaches a test, and no test changes what this process does when it is ended."""
    for name in list(os.environ):
        if name.startswith(SECRETS) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


class Cli:
    """The command, called in this process and in the directory where the test is."""

    def __call__(self, *arguments: str | Path) -> Result:
        result = CliRunner().invoke(strands_session, [str(argument) for argument in arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def ok(self, *arguments: str | Path) -> str:
        """What it prints; it has to succeed."""
        result = self(*arguments)
        assert 0 == result.exit_code, result.output
        return result.stdout


@pytest.fixture
def cli() -> Cli:
    return Cli()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory, which the test is in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def project(here: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new project with PostgreSQL sessions, which the test is in."""
    cli.ok("init", "my-agent")
    monkeypatch.chdir(here / "my-agent")
    return here / "my-agent"


def files(directory: Path) -> dict[str, str]:
    """Everything in the directory by its path."""
    return {str(path.relative_to(directory)): path.read_text() for path in directory.rglob("*") if path.is_file()}


KEY = "sk_test_0123456789abcdefghijklmnopqrstuv"


class Docker:
    """Stands in for docker, which is not ours: writes down how it is called, and answers as it would."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.directory.mkdir()
        self.script = self.directory / "docker"
        shutil.copy(Path(__file__).parent / "docker_stand_in.py", self.script)
        self.script.write_text(f"#!{sys.executable} -I\n{self.script.read_text()}")
        self.script.chmod(0o755)

    def fails_at(self, *words: str, says: str = "") -> None:
        """From now on, calls with all of these words fail."""
        (self.directory / "fails.json").write_text(json.dumps([*self._read("fails.json"), [words, says]]))

    def runs(self, *services: str) -> None:
        """These services run already."""
        (self.directory / "running.json").write_text(json.dumps(services))

    def executes(self, environment: dict[str, str]) -> None:
        """From now on, what is to run in a container runs for real, in this environment."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}"
        (self.directory / "environment.json").write_text(json.dumps({**environment, "PATH": path, "PWD": str(ROOT)}))

    def calls(self, *words: str) -> list[list[str]]:
        """The calls so far that have all of these words."""
        return [call["arguments"] for call in self._read("calls.json") if set(words) <= set(call["arguments"])]

    def seen(self, *words: str) -> dict[str, str]:
        """What the last of these calls found in its compose file, and where it was called."""
        return [call for call in self._read("calls.json") if set(words) <= set(call["arguments"])][-1]

    def _read(self, name: str) -> list:
        path = self.directory / name
        return json.loads(path.read_text()) if path.exists() else []


@pytest.fixture
def docker(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Docker:
    stand_in = Docker(tmp_path_factory.mktemp("docker") / "bin")
    monkeypatch.setenv("PATH", f"{stand_in.directory}{os.pathsep}{os.environ['PATH']}")
    return stand_in


@pytest.fixture
def no_docker(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PATH without docker."""
    monkeypatch.setenv("PATH", str(tmp_path_factory.mktemp("empty")))


class Installed(NamedTuple):
    """A project that was made, installed into an environment of its own, and can be run there."""

    kind: str
    directory: Path
    python: Path

    def start(self, environment: dict[str, str]) -> Api:
        return Api(self.directory, [str(self.python), "-m", "api.app"], environment)


@pytest.fixture(scope="session", params=["postgresql", "file"])
def installed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Each kind of project, made by the command and installed with `pip install -e .` as its README says.

    Its environment sees the packages of this one, so nothing is downloaded; pip still has to find each requirement
    there. `make test-install` does the same from nothing.
    """
    place = tmp_path_factory.mktemp("installed")
    made = [*COMMAND, "init", f"{request.param}-agent", "--session-state", request.param]
    subprocess.run(made, cwd=place, check=True, capture_output=True)
    directory = place / f"{request.param}-agent"
    python = make_environment(place / "environment")
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-index"]
    done = subprocess.run(
        [*install, "--no-build-isolation", "--disable-pip-version-check", "-e", f"{directory}[dev]"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    return Installed(request.param, directory, python)


def make_environment(place: Path) -> Path:
    """A virtual environment that sees this one's packages; its python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    (packages,) = (place / "lib").glob("python3*/site-packages")
    # As a directory of sites, so that what is installed here as editable is found as well.
    line = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    (packages / "this-environment.pth").write_text(line)
    return place / "bin" / "python"


Helm = Callable[[str, Path, dict[str, Any]], subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Renders a chart for a release, with the helm that HELM names, the one on PATH, or the tests' stand-in."""
    stand_in = ROOT / "tests" / "helm" / "stand_in.py"
    installed = os.environ.get("HELM") or shutil.which("helm")
    command = [installed] if installed else [sys.executable, str(stand_in)]
    assert installed or stand_in.is_file(), "There is no helm: install it, or name it in HELM."
    own_values = tmp_path_factory.mktemp("helm") / "values.yaml"

    def template(release: str, chart: Path, values: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        own_values.write_text(json.dumps(values))
        options = ["--namespace", "team-a", "--values", own_values]
        return subprocess.run([*command, "template", release, chart, *options], capture_output=True, text=True)

    return template


@pytest.fixture
def port() -> int:
    return free_port()
