"""What the commands share: how arguments are read, results shown and failures told."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import click
from flask.cli import AppGroup
from marshmallow import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from . import fields
from .errors import Failure
from .logs import cause

_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


class Group(AppGroup):
    """Commands that tell what went wrong in a sentence, and exit with 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Failure as failure:
            raise click.ClickException(str(failure)) from None
        except SQLAlchemyError as error:
            raise click.ClickException(f"The database refused: {cause(error)['cause']}.") from None


class Name(click.ParamType):
    """A text by the rules of ids."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return fields.check_id(value)
        except ValidationError as error:
            self.fail(str(error.messages[0]), param, ctx)


class Moment(click.ParamType):
    """90d, 12h, 30m from now, or an ISO 8601 date or time, in UTC if it does not say."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            if ahead := re.fullmatch(r"(\d+)([dhm])", value, re.ASCII):
                return datetime.now(timezone.utc) + timedelta(**{_UNITS[ahead[2]]: int(ahead[1])})
            moment = datetime.fromisoformat(re.sub(r"[Zz]$", "+00:00", value))  # which Python 3.10 does not read
            return moment.replace(tzinfo=moment.tzinfo or timezone.utc)
        except (ValueError, OverflowError):
            self.fail("is neither a time from now, such as 90d or 12h, nor a date, such as 2027-01-31.", param, ctx)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def shown(moment: datetime | None) -> str:
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%MZ") if moment else "-"
