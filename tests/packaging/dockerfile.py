"""Reads the Dockerfile and does what it says without Docker: each stage is a directory with a virtual environment."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

# Directories of the image that a command may name; each is one under the stage's own directory.
_OWN = re.compile(r"(?<![\w./])/(?=(?:source|wheels|app)\b)")


@dataclass
class Stage:
    """What an image would hold, under `root`; its Python is a virtual environment in `root/python`."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = "0:0"
    command: list[str] = field(default_factory=list)
    healthcheck: list[str] = field(default_factory=list)

    @property
    def python(self) -> Path:
        return self.root / "python"

    @property
    def directory(self) -> Path:
        return self.root / self.workdir.lstrip("/")

    def environ(self) -> dict[str, str]:
        """The image's environment, with this machine's way to the package index."""
        kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "REQUESTS_"))}
        path = f"{self.python / 'bin'}:/usr/local/bin:/usr/bin:/bin"
        return {**kept, "PATH": path, "HOME": "/", "LANG": "C.UTF-8", **self.environment}


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Each instruction in capitals and what follows it, continued lines joined, comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield word.upper(), rest.strip()


class Replay:
    """Runs the instructions of a Dockerfile in order. Raises NotImplementedError for one that it does not know."""

    def __init__(self, context: Path, directory: Path, **arguments: str) -> None:
        self.context, self.directory, self.arguments = context, directory, arguments
        self.stages: dict[str, Stage] = {}
        for instruction, rest in instructions((context / "Dockerfile").read_text()):
            if instruction in ("LABEL", "EXPOSE") or (instruction == "ARG" and not self.stages):
                continue
            step = getattr(self, f"_{instruction.lower()}", None)
            if step is None:
                raise NotImplementedError(f"The replay does not know {instruction}.")
            step(rest)

    @property
    def image(self) -> Stage:
        return list(self.stages.values())[-1]

    def _from(self, rest: str) -> None:
        name = rest.split(" AS ")[1] if " AS " in rest else str(len(self.stages))
        self.stages[name] = stage = Stage(self.directory / name)
        stage.root.mkdir()
        # The official image has pip and nothing else. This environment's own pip works for the other one, too.
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", stage.python], check=True)
        pip = stage.python / "bin/pip"
        pip.write_text(f'#!/bin/sh\nexec {sys.executable} -m pip --python {stage.python}/bin/python "$@"\n')
        pip.chmod(0o755)

    def _arg(self, rest: str) -> None:
        name, _, default = rest.partition("=")
        self.image.arguments[name] = self.arguments.get(name, default)

    def _workdir(self, rest: str) -> None:
        self.image.workdir = rest
        self.image.directory.mkdir(parents=True, exist_ok=True)

    def _env(self, rest: str) -> None:
        self.image.environment |= dict(pair.split("=", 1) for pair in shlex.split(rest))

    def _user(self, rest: str) -> None:
        self.image.user = rest

    def _cmd(self, rest: str) -> None:
        self.image.command = json.loads(rest)

    def _healthcheck(self, rest: str) -> None:
        self.image.healthcheck = json.loads(rest.split(" CMD ", 1)[1] if " CMD " in rest else rest.split("CMD", 1)[1])

    def _copy(self, rest: str) -> None:
        *sources, target = shlex.split(rest)
        # As in a checkout that was made under a strict umask.
        mode = int(sources.pop(0).removeprefix("--chmod="), 8) if sources[0].startswith("--chmod=") else 0o600
        for source in sources:
            assert let_through(self.context, source), f".dockerignore keeps {source} from COPY {rest}"
            found, goal = self.context / source, self.image.directory / target
            if found.is_dir():
                shutil.copytree(found, goal, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                goal = goal / found.name if target.endswith("/") else goal
                goal.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(found, goal)
                goal.chmod(mode)

    def _run(self, rest: str) -> None:
        while rest.startswith("--mount="):
            mount, _, rest = rest.partition(" ")
            options = dict(option.split("=", 1) for option in mount.removeprefix("--mount=").split(","))
            mounted = self.image.root / options["target"].lstrip("/")
            mounted.symlink_to(self.stages[options["from"]].root / options["source"].lstrip("/"))
        command = _OWN.sub(f"{self.image.root}/", rest)
        made = subprocess.run(
            ["sh", "-ec", command],
            cwd=self.image.directory,
            env={**self.image.environ(), **self.image.arguments},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert 0 == made.returncode, f"{command}\n{made.stdout}{made.stderr}"


def let_through(context: Path, path: str) -> bool:
    """Whether .dockerignore leaves the path in the build's context: the last pattern that fits decides."""
    kept = True
    for line in (context / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        parts = PurePosixPath(path).parts
        prefixes = ["/".join(parts[: length + 1]) for length in range(len(parts))]
        fits = any(fnmatch.fnmatch(prefix, pattern.removeprefix("**/")) for prefix in prefixes) or (
            pattern.startswith("**/") and any(fnmatch.fnmatch(part, pattern.removeprefix("**/")) for part in parts)
        )
        kept = line.startswith("!") if line and fits else kept
    return kept
