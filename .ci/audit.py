"""Asks whether a locked package has a known vulnerability: `make audit`.

Exit codes: 0, none is known; 1, one is, or an entry of requirements/audit.ignored is past its date; 3, nobody could be
asked, so that nothing is known.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import date, datetime, timezone
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

REQUIREMENTS = Path(__file__).parent.parent / "requirements"
_ENTRY = re.compile(r"^([a-z0-9][^= ]*)==([^ ]+).*((?:\n +--hash=.*)+)", re.MULTILINE)


class Ignored(NamedTuple):
    """A finding that does not concern us, until the day on which somebody has to look again."""

    vulnerability: str
    until: date
    reason: str


class Unreachable(Exception):
    """The vulnerability database did not answer."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Ask OSV whether a locked package has a known vulnerability.")
    parser.add_argument("--allow-unreachable", action="store_true", help="warn, but succeed, when nobody can be asked")
    parser.add_argument("--ignored", type=Path, default=REQUIREMENTS / "audit.ignored")
    parser.add_argument("locks", type=Path, nargs="*", default=sorted(REQUIREMENTS.glob("*.txt")))
    options = parser.parse_args()

    try:
        ignored = list(read_ignored(options.ignored.read_text()))
    except ValueError as error:
        print(f"{options.ignored.name}: {error}", file=sys.stderr)
        return 1
    packages = locked(options.locks)
    for entry in ignored:
        print(f"Ignored until {entry.until}: {entry.vulnerability}, {entry.reason}")
    findings: list[str] = []
    unreachable = None
    try:
        for batch in batches(packages):
            findings.extend(ask(batch, ignored))
    except Unreachable as error:
        unreachable = error
    print(*findings, sep="\n", end="\n" if findings else "")
    if unreachable:
        print(f"\n*** NOT AUDITED *** OSV could not be asked: {unreachable}")
        print("Whether a locked package has a known vulnerability is not known.\n")
    else:
        print(f"{sum(map(len, packages.values()))} locked packages, {len(findings)} known vulnerabilities.")
    if findings:
        return 1
    return 3 if unreachable and not options.allow_unreachable else 0


def read_ignored(text: str) -> Iterator[Ignored]:
    """The entries of the ignore list. Raises ValueError for one that can't be read, or is past its date."""
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        entry = re.fullmatch(r"(\S+) +(\d{4}-\d\d-\d\d) +(\S.*)", line)
        if not entry:
            raise ValueError(f"{line!r} is not of the form ID YYYY-MM-DD reason.")
        ignored = Ignored(entry[1], date.fromisoformat(entry[2]), entry[3])
        if ignored.until < datetime.now(timezone.utc).date():
            raise ValueError(f"{ignored.vulnerability} was to be looked at again by {ignored.until}: {ignored.reason}")
        yield ignored


def locked(files: list[Path]) -> dict[str, dict[str, str]]:
    """By name and version: the lines of a lock, without the condition that makes it hold for some Pythons only."""
    found: dict[str, dict[str, str]] = {}
    for file in files:
        for name, version, hashes in _ENTRY.findall(file.read_text()):
            found.setdefault(name, {})[version] = f"{name}=={version} \\{hashes}"
    return found


def batches(packages: dict[str, dict[str, str]]) -> Iterator[str]:
    """Requirements with one version a package, as many as it takes to name every version once."""
    for entries in zip_longest(*(versions.values() for versions in packages.values())):
        yield "\n".join(entry for entry in entries if entry) + "\n"


def ask(requirements: str, ignored: list[Ignored]) -> Iterator[str]:
    """What pip-audit finds, a line each. Raises Unreachable."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(requirements)
        file.flush()
        command = [sys.executable, "-m", "pip_audit", "--vulnerability-service=osv", "--strict", "--require-hashes"]
        command += [
            "--disable-pip",
            "--format=json",
            "--desc=off",
            "--progress-spinner=off",
            f"--requirement={file.name}",
        ]
        command += [f"--ignore-vuln={entry.vulnerability}" for entry in ignored]
        ended = subprocess.run(command, capture_output=True, text=True)  # noqa: S603
    try:
        answer: dict[str, Any] = json.loads(ended.stdout)
    except ValueError:
        # When it can't ask, it ends with a traceback or a sentence, and with the same code as when it finds something.
        raise Unreachable(ended.stderr.strip().splitlines()[-1]) from None
    for package in answer["dependencies"]:
        for found in package["vulns"]:
            fixed = ", ".join(found["fix_versions"]) or "no version yet"
            yield f"{package['name']} {package['version']}: {found['id']}, fixed in {fixed}"


if __name__ == "__main__":
    sys.exit(main())
