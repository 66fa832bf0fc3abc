"""What `strands-session` offers, and how it is called."""

import signal
import sys
from pathlib import Path

import click

from strands_session_client.cli import adding, checks, compose, env_files, images, local, manifests, projects, scaffold
from strands_session_client.cli.console import Refusal, say, show, warn
from strands_session_client.version import __version__

_HERE = Path()


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="strands-session")
def strands_session() -> None:
    """Strands agents that keep their sessions in PostgreSQL."""
    # An ended command cleans up after itself, as one that Ctrl-C interrupts does.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


@strands_session.command()
@click.argument("name")
@click.option("--session-state", type=click.Choice(projects.KINDS), default=projects.POSTGRESQL, show_default=True)
@click.option("-d", "--description", default="A Strands agent", show_default=True, help="What the agent is, in a line.")
@click.option("-o", "--output-dir", type=click.Path(path_type=Path), default=_HERE, help="Where its directory is made.")
@click.option("--require-backend", is_flag=True, help="Make nothing unless the session backend can be reached.")
def init(name: str, session_state: str, description: str, output_dir: Path, require_backend: bool) -> None:
    """Make a new agent's project in the directory NAME."""
    projects.checked_name(name)
    scaffold.check_place(output_dir.absolute() / name)
    if session_state == projects.POSTGRESQL:
        warn_unless_reachable(require_backend)
    project = scaffold.create(name, session_state, projects.checked_description(description), output_dir)
    say(f"{project.directory} is ready; its README.md says how to go on.")


@strands_session.command()
@click.argument("directory", type=click.Path(path_type=Path), default=_HERE)
def add(directory: Path) -> None:
    """Give the project in DIRECTORY (here) PostgreSQL sessions."""
    project = projects.find(directory)
    adding.add(project)
    say(f"{project.name} keeps its sessions in PostgreSQL now: install it anew (pip install -e .), then")
    say("`strands-session up` starts the session backend; session_backend/README.md has the rest.")


@strands_session.command()
@click.option("--detach", is_flag=True, help="Leave it running in the background.")
@click.option("--local", "on_this_machine", is_flag=True, help="Without Docker: needs strands-session-api[embedded].")
@click.option("--port", type=click.IntRange(1, 65535), help="With --local; otherwise API_PORT in .env.")
def up(detach: bool, on_this_machine: bool, port: int | None) -> None:
    """Start the session backend."""
    project = projects.find_with_backend(_HERE)
    if on_this_machine:
        local.up(project, port or env_files.port(project), detach=detach)
    elif port:
        raise click.UsageError("--port goes with --local; for containers set API_PORT in session_backend/.env.")
    else:
        compose.up(project, detach=detach)


@strands_session.command()
def down() -> None:
    """Stop the session backend; its data stays."""
    project = projects.find_with_backend(_HERE)
    stopped = [local.down(project), compose.down(project)]
    say("Stopped; the data stays." if any(stopped) else f"Nothing of {project.name} runs.")


@strands_session.command()
def status() -> None:
    """Say what runs; exit code 1 if nothing does."""
    project = projects.find_with_backend(_HERE)
    found = {"process": local.status(project), "containers": compose.status(project)}
    show((what, "ok" if how else "-", how or "not running") for what, how in found.items())
    sys.exit(0 if any(found.values()) else 1)


@strands_session.command()
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes.")
def logs(follow: bool) -> None:
    """Print the session backend's logs."""
    project = projects.find_with_backend(_HERE)
    if not local.logs(project, follow=follow) and not compose.logs(project, follow=follow):
        raise Refusal("There are no logs: the session backend never ran here.")


@strands_session.command()
def check() -> None:
    """See whether the backend answers, its database is well, the key good and the version right."""
    found = checks.check(_HERE)
    show(found)
    sys.exit(1 if any(one.how == "failed" for one in found) else 0)


@strands_session.command()
@click.option("--push", is_flag=True, help="Push what was built.")
@click.option("-r", "--registry", help="Where to, as in registry.example.com/agents.")
@click.option("-t", "--tag", default="latest", show_default=True)
def build(push: bool, registry: str | None, tag: str) -> None:
    """Build the images of the agent and of its session backend."""
    if push and not registry:
        raise click.UsageError("--push needs --registry.")
    images.build(projects.find(_HERE), tag, registry, push=push)


@strands_session.group()
def generate() -> None:
    """Write what Kubernetes needs."""


@generate.command()
def helm() -> None:
    """Write a Helm chart to deployment/helm; values that were changed there stay."""
    manifests.helm(projects.find(_HERE))
    say("deployment/helm holds the chart, VALUES.md its values; scripts/deploy.sh installs it.")


@generate.command()
@click.option("-n", "--namespace", default="default", show_default=True)
@click.option("-r", "--registry", help="Where the images come from.")
@click.option("-t", "--tag", default="latest", show_default=True)
def k8s(namespace: str, registry: str | None, tag: str) -> None:
    """Write plain manifests to deployment/k8s."""
    for line in manifests.k8s(projects.find(_HERE), namespace, registry, tag):
        say(line)


@strands_session.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def wrap(arguments: tuple[str, ...]) -> None:
    """Call strands-cli with PostgreSQL sessions as an option: wrap init NAME --session-state=postgresql."""
    from strands_session_client.cli import wrapping

    wrapping.call(arguments)


def warn_unless_reachable(required: bool) -> None:
    """Say when the session backend can't be reached, or refuse to go on without it."""
    reason = checks.unreachable()
    if reason and required:
        raise Refusal(f"The session backend can't be reached. {reason}")
    if reason:
        warn(f"The session backend can't be reached yet; `strands-session up` starts one. {reason}")
