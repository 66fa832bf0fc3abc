"""What the README shows is what there is."""

from __future__ import annotations

import re

from .conftest import ROOT

README = (ROOT / "README.md").read_text()


def test_the_agent_that_is_shown_is_the_one_that_make_demo_runs() -> None:
    (shown,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    example = (ROOT / "examples" / "remember.py").read_text()

    imports, function = shown.split("\n\n\n")
    assert function in example
    assert all(line.rstrip() in example for line in imports.splitlines())


def test_every_make_target_and_every_link_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()

    for target in re.findall(r"make ([a-z]+)(?= |`|$)", README.replace("make are", ""), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / link).exists(), link
