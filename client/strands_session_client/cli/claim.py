"""A process's claim on its work: a lock that it inherits, and that lasts exactly as long as it lives.

A process id in a file may long belong to somebody else.
"""

import sys
from pathlib import Path
from typing import BinaryIO

from strands_session_client.cli.console import Refusal

if sys.platform != "win32":  # where neither the service nor such locks exist
    import fcntl


def take(path: Path) -> BinaryIO:
    """The claim, to be handed to the process that shall hold it. Raises Refusal while another process does."""
    if sys.platform == "win32":
        raise Refusal("The service does not run on Windows: start Docker, and leave --local out.")
    claim = path.open("wb")
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        claim.close()
        raise Refusal("The session backend is being started or stopped by another command.") from None
    return claim


def is_held(path: Path) -> bool:
    """Whether the process that holds the claim lives."""
    if sys.platform == "win32" or not path.exists():
        return False
    with path.open("rb") as claim:
        try:
            # Shared, so that nobody who looks at the same moment is taken for its holder.
            fcntl.flock(claim, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
