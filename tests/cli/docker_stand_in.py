"""Answers for docker, and writes down how it was called. Its first line names the interpreter, which conftest adds."""

import json
import os
import subprocess
import sys
from pathlib import Path

place = Path(__file__).parent
arguments = sys.argv[1:]


def read(name):
    path = place / name
    return json.loads(path.read_text()) if path.exists() else []


files = [Path(arguments[at + 1]) for at, argument in enumerate(arguments) if argument in ("-f", "--file")]
seen = {"arguments": arguments, "directory": os.getcwd(), "file": files[0].read_text() if files else ""}
(place / "calls.json").write_text(json.dumps([*read("calls.json"), seen]))

for words, says in read("fails.json"):
    if set(words) <= set(arguments):
        sys.exit(says or 1)

if "ps" in arguments:
    print("\n".join(read("running.json")))
elif "up" in arguments:
    (place / "running.json").write_text(json.dumps(["session-api", "session-db"]))
elif "down" in arguments or "stop" in arguments:
    (place / "running.json").write_text("[]")
elif "exec" in arguments and (place / "environment.json").exists():
    # What would run in the service's container runs beside it, on the same database.
    command = arguments[arguments.index("-T") + 2 :]
    environment = json.loads((place / "environment.json").read_text())
    sys.exit(subprocess.run(command, env=environment, cwd=environment["PWD"]).returncode)
elif "exec" in arguments:
    print("The key is shown this once.")
    print("sk_test_0123456789abcdefghijklmnopqrstuv")
elif "logs" in arguments:
    print("session-api-1  | a line of the log", flush=True)
