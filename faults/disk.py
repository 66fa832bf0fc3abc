"""A disk of memory for the tables, which can be full at once and without taking that memory."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path

_SIZE = 1 << 30  # what the load may write; only what it wrote is taken


class Disk:
    """A tmpfs. Only root may mount one: where that fails, `obstacle` says why, and there is no disk."""

    def __init__(self, path: Path) -> None:
        path.mkdir()
        self.path = path
        self.obstacle = _mount("-t", "tmpfs", "-o", f"size={_SIZE},mode=0700", "tmpfs", path)

    def fill(self) -> None:
        """Leave no room but for what is there already."""
        for _ in range(100):
            figures = os.statvfs(self.path)
            used = (figures.f_blocks - figures.f_bfree) * figures.f_frsize
            if self._resize(used) is None:
                return
        raise RuntimeError("the disk grew faster than it could be filled")

    def free(self) -> None:
        obstacle = self._resize(_SIZE)
        if obstacle is not None:
            raise RuntimeError(obstacle)

    def close(self) -> None:
        if self.obstacle is None:
            with suppress(OSError):
                subprocess.run(["umount", "--lazy", self.path], check=False)

    def _resize(self, size: int) -> str | None:
        return _mount("-o", f"remount,size={size}", self.path)


def _mount(*arguments: str | Path) -> str | None:
    """Why it failed, or None."""
    try:
        done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error)
    return None if done.returncode == 0 else " ".join(done.stderr.split()) or f"mount ended with {done.returncode}"
