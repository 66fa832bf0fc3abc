"""The distribution: what it brings along, and what it says when its extra is missing."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from configparser import ConfigParser
from zipfile import ZipFile

from strands_session_client.cli import projects, templates
from tests.conftest import ROOT

CLIENT = ROOT / "client"


def test_a_wheel_has_every_template_and_no_test(tmp_path):
    source = tmp_path / "source"
    shutil.copytree(CLIENT, source, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__", "dist"))
    (source / "tests").mkdir()
    (source / "tests/__init__.py").touch()
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "."],
        cwd=source,
        capture_output=True,
        text=True,
    )
    assert 0 == done.returncode, done.stderr

    (wheel,) = source.glob("*.whl")
    inside = set(ZipFile(wheel).namelist())
    wanted = {str(path.relative_to(CLIENT)) for path in templates._TREES.rglob("*") if path.is_file()}
    assert wanted <= inside
    assert {"strands_session_client"} == {name.split("/")[0] for name in inside if ".dist-info/" not in name}


def test_without_its_extra_the_command_says_what_is_missing():
    code = "import sys; sys.modules['click'] = None; from strands_session_client.cli import main; main()"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert 1 == done.returncode
    assert "pip install 'strands-session-client[cli]' (there is no click)" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_client_itself_needs_nothing_of_the_extra():
    blocked = "click jinja2 dotenv rich ruamel.yaml tomlkit fastapi"
    code = f"import sys; sys.modules.update(dict.fromkeys({blocked.split()!r})); import strands_session_client"

    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode


def test_what_projects_need_is_what_is_locked_for_the_example():
    stated = (ROOT / "requirements/examples.in").read_text().splitlines()

    own = {line for line in stated if not line.startswith("#")}
    assert own == {requirement for requirement in projects.REQUIREMENTS if "strands-agents" not in requirement}


def test_projects_need_the_sdk_that_the_client_needs():
    setup = ConfigParser()
    setup.read(CLIENT / "setup.cfg")

    (sdk,) = [requirement for requirement in projects.REQUIREMENTS if requirement.startswith("strands-agents")]
    assert sdk in setup["options"]["install_requires"].split()


def test_the_image_of_this_very_version_is_derived_from():
    assert re.fullmatch(r"strands-session-api:\d+\.\d+\.\d+", projects.SERVICE_IMAGE)
    assert projects.CLIENT.startswith(f"strands-session-client>={projects.SERVICE_IMAGE.partition(':')[2]},<")
