"""`helm template` and `helm lint` where helm is not installed: its own engine, out of a wheel that has no command line.

stand_in.py template NAME CHART [--namespace N] [--is-upgrade] [--values FILE]...
stand_in.py lint CHART [--strict] [--values FILE]...
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import yaml
from helm_python import Chart, HelmError, chart

_SEVERITIES = ("UNKNOWN", "INFO", "WARNING", "ERROR")


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """As Helm merges values files: maps by key, everything else replaced."""
    result = dict(below)
    for name, value in above.items():
        both = isinstance(value, dict) and isinstance(below.get(name), dict)
        result[name] = merged(below[name], value) if both else value
    return result


def template(arguments: argparse.Namespace, values: dict[str, Any]) -> int:
    with Chart.load(arguments.chart) as loaded:
        loaded.validate_schema(values)
        manifests = loaded.render(
            values,
            name=arguments.name,
            namespace=arguments.namespace,
            is_install=not arguments.is_upgrade,
            is_upgrade=arguments.is_upgrade,
        )
    for path, text in sorted(manifests.items()):
        if path.endswith(".yaml") and text.strip():
            print(f"---\n# Source: {path}\n{text.strip()}")
    return 0


def lint(arguments: argparse.Namespace, values: dict[str, Any]) -> int:
    report = chart.lint(arguments.chart, values, strict=arguments.strict)
    for message in report["messages"]:
        print(f"[{_SEVERITIES[message['severity']]}] {message['path']}: {message['error']}")
    worst = max((message["severity"] for message in report["messages"]), default=0)
    return int(bool(report["errors"]) or worst > (1 if arguments.strict else 2))


def captured(arguments: list[str]) -> tuple[int, str, str]:
    """Exit code, output and errors of one call."""
    with redirect_stdout(io.StringIO()) as output, redirect_stderr(io.StringIO()) as errors:
        code = main(arguments)
    return code, output.getvalue(), errors.getvalue()


def main(given: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    for command in ("template", "lint"):
        own = commands.add_parser(command)
        if command == "template":
            own.add_argument("name")
            own.add_argument("--namespace", default="default")
            own.add_argument("--is-upgrade", action="store_true")
        else:
            own.add_argument("--strict", action="store_true")
        own.add_argument("chart", type=Path)
        own.add_argument("--values", action="append", type=Path, default=[])
    arguments = parser.parse_args(given)
    values: dict[str, Any] = {}
    for path in arguments.values:
        values = merged(values, yaml.safe_load(path.read_text()) or {})
    try:
        return (template if arguments.command == "template" else lint)(arguments, json.loads(json.dumps(values)))
    except HelmError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
