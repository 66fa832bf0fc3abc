"""The command `strands-cli`: a click group with init, build, run and generate helm|k8s, and no plugins."""

import click

from strands_cli import work


@click.group()
def cli() -> None:
    """Scaffold and ship Strands agents."""


@cli.command("init")
@click.argument("name")
@click.option("--description", "-d", default="A Strands agent")
@click.option("--template", "-t", default="default")
@click.option("--output-dir", "-o", default=".")
def init_command(name: str, description: str, template: str, output_dir: str) -> None:
    """Make a project."""
    work.init(name, description, output_dir)


@cli.command("build")
@click.option("--push", is_flag=True)
@click.option("--registry", "-r", default=None)
@click.option("--tag", "-t", default="latest")
def build_command(push: bool, registry: str | None, tag: str) -> None:
    """Build the agent's image."""
    work.build(tag)


@cli.command("run")
@click.option("--agent-port", type=int, default=8000)
@click.option("--detach", is_flag=True)
def run_command(agent_port: int, detach: bool) -> None:
    """Run the agent with Docker Compose."""
    work.run(agent_port, detach)


@cli.group("generate")
def generate_command() -> None:
    """Write manifests."""


@generate_command.command("helm")
@click.option("--set", "set_values", multiple=True)
@click.option("--values-file", "-f", default=None)
def generate_helm_command(set_values: tuple[str, ...], values_file: str | None) -> None:
    """Write a chart."""
    work.helm(values_file)


@generate_command.command("k8s")
@click.option("--namespace", "-n", default="default")
@click.option("--output-dir", "-o", default="deployment/k8s")
@click.option("--image-uri", default=None)
@click.option("--image-tag", default=None)
def generate_k8s_command(namespace: str, output_dir: str, image_uri: str | None, image_tag: str | None) -> None:
    """Write plain manifests."""
    work.k8s(output_dir, image_uri, image_tag)


def main() -> None:
    """Main entry point for the CLI."""
    cli()


if __name__ == "__main__":
    main()
