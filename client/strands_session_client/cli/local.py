"""The session backend as a process of this machine, with a PostgreSQL of its own: for machines without Docker."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO

from strands_session_client.cli import claim, env_files, ports
from strands_session_client.cli.console import Refusal, say
from strands_session_client.cli.projects import Project

_START_SECONDS = 90.0
# Above the time that the service gives the requests that it has begun.
_STOP_SECONDS = 45.0
_PAUSE = 0.1


def up(project: Project, port: int, *, detach: bool) -> None:
    """Start the service and wait until it is ready; then leave it running, or stay until Ctrl-C stops it."""
    command = _command()
    running = status(project)
    if running is not None:
        say(f"The session backend runs already on {running}.")
        return
    ports.check_free(port, "--port")
    url = f"http://127.0.0.1:{port}"
    _place(project).mkdir(mode=0o700, exist_ok=True)
    with claim.take(_claim(project)) as held:
        _state(project).unlink(missing_ok=True)
        say("Starting the session backend with a PostgreSQL of its own.")
        process = _start(project, command, port, held)
    try:
        _wait_until_ready(project, process, port)
        _state(project).write_text(json.dumps({"pid": process.pid, "url": url}), "utf-8")
        env_files.keep(project.environment, {env_files.URL: url})
        say(f"It serves on {url}, to this machine only and without keys; the agent's .env has the address.")
        say(f"The data lies in {_place(project)}.")
        say("`strands-session down` stops it." if detach else "Ctrl-C stops it.")
        if not detach:
            _stay(project, process)
    except BaseException:
        process.terminate()
        process.wait()
        raise


def down(project: Project) -> bool:
    """Stop the service; whether it ran. The data stays."""
    running = _running(project)
    if running is None:
        return False
    os.kill(running["pid"], signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while claim.is_held(_claim(project)):
        if time.monotonic() > deadline:
            raise Refusal(f"The service (process {running['pid']}) is still stopping; its log is {_log(project)}.")
        time.sleep(_PAUSE)
    return True


def status(project: Project) -> str | None:
    """The URL on which the service runs; None if it does not."""
    running = _running(project)
    return str(running["url"]) if running else None


def logs(project: Project, *, follow: bool) -> bool:
    """Print the service's log, and what comes while it runs; whether there is one."""
    if not _log(project).is_file():
        return False
    with _log(project).open("rb") as log:
        _copy(log)
        while follow and claim.is_held(_claim(project)):
            time.sleep(_PAUSE)
            _copy(log)
    return True


def _command() -> list[str]:
    """The service's command, beside this one or anywhere on the path."""
    beside = Path(sys.executable).parent
    found = shutil.which("session-api", path=f"{beside}{os.pathsep}{os.environ.get('PATH', os.defpath)}")
    if found is None:
        raise Refusal(
            "The service is not installed here: pip install 'strands-session-api[embedded]',"
            " or start Docker and leave --local out."
        )
    return [found, "serve"]


def _start(project: Project, command: list[str], port: int, held: BinaryIO) -> "subprocess.Popen[bytes]":
    # A DATABASE_URL of this shell belongs to something else.
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    environment |= {
        "API_HOST": "127.0.0.1",
        "API_PORT": str(port),
        "AUTH_MODE": "none",
        "ENVIRONMENT": "development",
        "SESSION_API_DATA_DIR": str(_place(project)),
    }
    with _log(project).open("wb") as log:
        return subprocess.Popen(  # noqa: S603
            command,
            cwd=_place(project),  # where no .env of the project is taken for the service's
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for this command, which then stops it in order
            pass_fds=[held.fileno()],
        )


def _wait_until_ready(project: Project, process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not ports.answers(port, "/health/ready"):
        if process.poll() is not None:
            last = _log(project).read_text("utf-8", errors="replace").splitlines()[-8:]
            raise Refusal("\n".join(["The service did not start:", *last]))
        if time.monotonic() > deadline:
            raise Refusal(f"The service was not ready in time; its log is {_log(project)}.")
        time.sleep(_PAUSE)


def _stay(project: Project, process: "subprocess.Popen[bytes]") -> None:
    """Print the log until the service ends; what ends this process ends the service in order."""
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        logs(project, follow=True)
    except KeyboardInterrupt:
        process.terminate()
    if process.wait():
        raise Refusal(f"The service ended with {process.returncode}.")


def _running(project: Project) -> dict[str, Any] | None:
    if not claim.is_held(_claim(project)) or not _state(project).is_file():
        return None
    state: dict[str, Any] = json.loads(_state(project).read_text("utf-8"))
    return state


def _place(project: Project) -> Path:
    return project.backend / "local"


def _claim(project: Project) -> Path:
    return _place(project) / "claim"


def _state(project: Project) -> Path:
    return _place(project) / "service.json"


def _log(project: Project) -> Path:
    return _place(project) / "service.log"


def _copy(log: BinaryIO) -> None:
    sys.stdout.write(log.read().decode("utf-8", errors="replace"))
    sys.stdout.flush()
