"""An agent is told something, its process is killed, and another process with the same session id knows it."""

import subprocess
import sys
import uuid

from scripted_model import MemoryModel
from strands import Agent

from strands_session_client import PostgreSQLSessionManager, PostgreSQLSessionRepository, SessionRepositoryError


def chat(session_id: str) -> None:
    """The whole agent: it answers each line that comes in, in whatever process this happens to be."""
    agent = Agent(model=MemoryModel(), session_manager=PostgreSQLSessionManager(session_id), callback_handler=None)
    for line in sys.stdin:
        print(agent(line), end="", flush=True)


# All that follows only starts that agent twice, and kills it in between.


def demonstrate() -> bool:
    """Whether the second process answers from what the first one was told."""
    with PostgreSQLSessionRepository() as repository:
        url = repository.base_url
        if not repository.health_check():
            sys.exit(f"No healthy session service answers at {url}: start it, or name another in SESSION_BACKEND_URL.")
    session_id = f"demo-{uuid.uuid4().hex[:12]}"
    print(f"Session {session_id} on {url}\n")
    first = start(session_id)
    say(first, "My favourite colour is teal.")
    first.kill()
    first.wait()
    print(f"process {first.pid} killed with signal {-first.returncode}, and all that it had in memory with it\n")
    second = start(session_id)
    answer = say(second, "What is my favourite colour?")
    second.communicate()
    print(f"process {second.pid} ended\n")
    print(f"What the service keeps of it: {url}/api/v1/sessions/{session_id}/agents/default/messages")
    return "teal" in answer


def start(session_id: str) -> "subprocess.Popen[str]":
    """A process in which the agent waits for lines."""
    command = [sys.executable, __file__, session_id]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    print(f"process {process.pid} started")
    return process


def say(process: "subprocess.Popen[str]", line: str) -> str:
    """The agent's answer; the demonstration ends here if its process does."""
    print(f"    you:   {line}")
    print(line, file=process.stdin, flush=True)
    answer = process.stdout.readline().strip()
    if not answer:  # it has said why
        process.wait()
        sys.exit(1)
    print(f"    agent: {answer}")
    return answer


if __name__ == "__main__":
    try:
        if len(sys.argv) > 1:
            chat(sys.argv[1])
        elif not demonstrate():
            sys.exit("The second process did not know what the first was told.")
    except SessionRepositoryError as error:
        sys.exit(str(error))
