"""The command `strands-session`: agent projects that keep their sessions in PostgreSQL."""

import sys

MISSING = "strands-session needs the extra `cli`: pip install 'strands-session-client[cli]'"


def main() -> None:
    """Run the command; it is installed without its extra as well, and then says what is missing."""
    try:
        from strands_session_client.cli.commands import strands_session
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.startswith("strands_session_client"):
            raise
        sys.exit(f"{MISSING} (there is no {missing.name})")
    strands_session(prog_name="strands-session")
