"""How the command speaks: progress on standard output, warnings and refusals on standard error."""

from collections.abc import Iterable

import click
from rich.console import Console

# Paths and messages may hold brackets, which are no markup.
_out = Console(markup=False, highlight=False, soft_wrap=True)
_err = Console(markup=False, highlight=False, soft_wrap=True, stderr=True)


class Refusal(click.ClickException):
    """What can't be done, in a sentence that says what to do instead."""

    def show(self, file: object = None) -> None:
        _err.print(f"Error: {self.message}", style="red")


def say(text: str = "") -> None:
    """Progress."""
    _out.print(text)


def warn(text: str) -> None:
    """Something that did not keep the command from its work."""
    _err.print(f"Warning: {text}", style="yellow")


def show(rows: Iterable[tuple[str, str, str]]) -> None:
    """Rows of what, how it is and a remark."""
    for what, how, remark in rows:
        _out.print(f"{what:<11} {how:<8} {remark}", style=_STYLES.get(how))


_STYLES = {"failed": "red", "ok": "green"}
