"""`python -m strands_session_client.cli` is `strands-session`."""

from strands_session_client.cli import main

if __name__ == "__main__":
    main()
