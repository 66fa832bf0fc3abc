"""docs/cli.md describes what there is."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from strands_session_client.cli.commands import strands_session
from tests.conftest import ROOT

PAGE = (ROOT / "docs/cli.md").read_text()


def commands(group: click.Group, words: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{words}{name} ")
        else:
            yield f"{words}{name}", command


def test_every_command_and_every_option_is_described():
    for name, command in commands(strands_session):
        assert f"| `{name}" in PAGE
        for option in (parameter for parameter in command.params if isinstance(parameter, click.Option)):
            assert all(spelling in PAGE for spelling in option.opts), (name, option.opts)


def test_every_link_leads_somewhere():
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / link).exists(), link
