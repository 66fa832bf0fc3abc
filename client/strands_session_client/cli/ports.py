"""The ports of this machine: is one free, does something answer on it?"""

import http.client
import socket

from strands_session_client.cli.console import Refusal


def check_free(port: int, setting: str) -> None:
    """Raises Refusal if somebody listens on the port; `setting` says where another one can be chosen."""
    with socket.socket() as probe:
        # As a server binds: what an ended connection left behind is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as failure:
            raise Refusal(
                f"Port {port} is taken ({failure.strerror}): stop what listens there, or choose another with {setting}."
            ) from None


def answers(port: int, path: str) -> bool:
    """Whether a server answers the path with 200, asked past every proxy."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
