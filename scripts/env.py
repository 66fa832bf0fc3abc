"""Makes .env from .env.example: a new secret for every name that has no value yet; what has one stays as it is."""

from __future__ import annotations

import os
import re
import secrets
import sys
from pathlib import Path

_SETTING = re.compile(r"^([A-Z_]+)=(.*)$", re.MULTILINE)


def main(directory: Path) -> None:
    example = (directory / ".env.example").read_text()
    path = directory / ".env"
    text = path.read_text() if path.exists() else example
    present = {name for name, _ in _SETTING.findall(text)}
    missing = [name for name, value in _SETTING.findall(example) if not value and name not in present]
    if missing:
        text = "\n".join([text.rstrip("\n"), "", *(f"{name}=" for name in missing), ""])
    made = [name for name, value in _SETTING.findall(text) if not value and f"\n{name}=\n" in example]
    for name in made:
        text = re.sub(rf"^{name}=$", f"{name}={secrets.token_hex(24)}", text, flags=re.MULTILINE)
    # Nobody else may read it, not even while it is written, and the one that was there is whole until then.
    new = directory / ".env.new"
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    new.replace(path)
    print(f".env: made {', '.join(made)}." if made else ".env has all its secrets already.")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
