"""`strands-session wrap`: the original's commands with our option, shown on a package of the original's shape."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result
from ruamel.yaml import YAML

from strands_session_client.cli import env_files
from tests.conftest import ROOT, new_id

from .conftest import KEY, Cli, files, make_environment
from .processes import Api
from .test_manifests import check, picked, plain, rendered

ORIGINAL = Path(__file__).parent / "original" / "src"


@pytest.fixture
def original(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """strands-cli is installed."""
    yield from installed_from(ORIGINAL, monkeypatch)


def installed_from(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(place))
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "strands_cli"]:
        del sys.modules[name]


@pytest.fixture
def wrap(cli: Cli) -> Callable[..., Result]:
    return lambda *arguments: cli("wrap", *arguments)


@pytest.fixture
def wrapped(here, original, monkeypatch, port, wrap):
    """A project that the original made with our option, which the test is in, its backend on a port that is free."""
    done = wrap("init", "my-agent", "--session-state=postgresql", "-d", "Counts sheep")
    assert 0 == done.exit_code, done.stdout + done.stderr
    monkeypatch.chdir(here / "my-agent")
    env_files.keep(Path("session_backend/.env"), {"API_PORT": str(port)})
    return here / "my-agent"


def test_init_calls_the_original_and_adds_ours(wrapped):
    made = files(wrapped)

    assert "You are my-agent, made by the original." in made["agent/prompts.py"]
    assert "def register_tools():\n    return []\n" == made["agent/tools.py"]
    assert "# my-agent\n" == made["README.md"]
    assert "PostgreSQLSessionManager" in made["agent/session_repository.py"]
    assert {"session_backend/compose.yaml", "session_backend/.env"} <= made.keys()
    assert "strands-session-client" in made["pyproject.toml"]
    assert '"strands-agents>=0.1.0",  # the SDK' in made["pyproject.toml"]
    assert "strands-session-client" in made["deployment/docker/requirements.txt"]
    assert not list(wrapped.rglob("*.orig"))


def test_what_it_made_is_installed_and_remembers(wrapped, live_url, tmp_path):
    python = make_environment(tmp_path / "environment")
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-index"]
    subprocess.run([*install, "--no-build-isolation", "-e", str(wrapped)], check=True, capture_output=True)
    environment = {"SESSION_BACKEND_URL": live_url}
    session_id = new_id()
    first = Api(wrapped, [str(python), "-m", "api.app"], environment)
    first.say(session_id, "My favourite colour is teal.")
    first.kill()
    second = Api(wrapped, [str(python), "-m", "api.app"], environment)
    answer = second.say(session_id, "What is my favourite colour?")
    second.kill()

    assert "Your favourite colour is teal." == answer


def test_init_without_the_option_is_the_originals(here, original, wrap):
    done = wrap("init", "my-agent")
    from strands_cli.work import PROJECT

    assert (0, "made by the original\n") == (done.exit_code, done.stdout)
    assert set(PROJECT) == set(files(here / "my-agent"))


def test_init_with_files_keeps_sessions_in_files(here, original, wrap):
    done = wrap("init", "my-agent", "--session-state", "file")

    assert 0 == done.exit_code, done.stderr
    assert "FileSessionManager" in (here / "my-agent/agent/session_repository.py").read_text()
    assert not (here / "my-agent/session_backend").exists()


def test_init_never_touches_what_exists(here, original, wrap):
    (here / "my-agent").mkdir()
    (here / "my-agent/mine").write_text("mine")

    done = wrap("init", "my-agent", "--session-state=postgresql")

    assert 1 == done.exit_code
    assert "exists already" in done.stderr
    assert {"my-agent/mine": "mine"} == files(here)


def test_an_init_of_which_our_part_fails_leaves_nothing_behind(here, original, wrap):
    # The original writes whatever description it is given; this one makes its pyproject.toml unreadable.
    done = wrap("init", "my-agent", "--session-state=postgresql", "-d", 'a "b" c')

    assert 1 == done.exit_code
    assert "pyproject.toml can't be read" in done.stderr
    assert [] == os.listdir(here)


def test_a_name_that_the_original_takes_and_we_can_not_is_refused_before_anything_is_made(here, original, wrap):
    done = wrap("init", "1-agent", "--session-state=postgresql")

    assert 1 == done.exit_code
    assert [] == os.listdir(here)


def test_help_is_the_originals_with_our_option(original, wrap):
    assert "Scaffold and ship Strands agents." in wrap("--help").stdout
    assert "--session-state [file|postgresql]" in wrap("init", "--help").stdout


def test_run_adds_the_backend_to_the_compose_file_that_it_generates(wrapped, docker, wrap):
    done = wrap("run", "--detach", "--agent-port", "9000")

    assert 0 == done.exit_code, done.stdout + done.stderr
    document = YAML(typ="safe").load(docker.seen("up", "-d")["file"])
    agent = document["services"]["agent"]
    assert [str(wrapped / "session_backend/compose.yaml")] == document["include"]
    assert ("my-agent", {"agent", "ui"}) == (document["name"], document["services"].keys())
    assert "SESSION_BACKEND_URL=http://session-api:8001" in agent["environment"]
    assert {"PORT=8000", "AWS_PROFILE"} <= set(agent["environment"])
    assert {"session-api": {"condition": "service_healthy"}} == agent["depends_on"]
    assert [str(wrapped / ".env")] == agent["env_file"]
    assert ["9000:8000"] == agent["ports"]
    assert KEY == env_files.read(wrapped / ".env")["SESSION_BACKEND_API_KEY"]


def test_run_starts_the_backend_makes_the_key_and_only_then_the_agent(wrapped, docker, wrap):
    wrap("run")

    steps = [word for call in docker.calls() for word in call if word in {"up", "exec"}]
    assert ["up", "exec", "up"] == steps


def test_down_stops_what_run_started_although_its_file_is_gone(wrapped, docker, cli, wrap):
    wrap("run", "--detach")
    started = docker.seen("up", "-d")

    cli.ok("down")

    (stopped,) = docker.calls("down")
    assert not Path(started["arguments"][2]).exists()
    assert ["compose", "--file", str(wrapped / "session_backend/compose.yaml"), "down", "--remove-orphans"] == stopped
    own = YAML(typ="safe").load(wrapped / "session_backend/compose.yaml")
    assert own["name"] == YAML(typ="safe").load(started["file"])["name"]


def test_what_run_starts_is_a_valid_compose_file(wrapped, docker, tmp_path, wrap):
    wrap("run")
    file = tmp_path / "compose.yaml"
    file.write_text(docker.seen("compose", "up", "-f")["file"])

    from .test_images import check_compose

    check_compose(file)


def test_run_of_a_project_without_the_backend_is_the_originals(here, original, docker, monkeypatch, wrap):
    wrap("init", "my-agent")
    monkeypatch.chdir(here / "my-agent")

    done = wrap("run")

    assert 0 == done.exit_code, done.stderr
    assert [["compose", "-f", "up"]] == [[call[0], call[1], call[3]] for call in docker.calls()]
    assert "session" not in docker.seen("up")["file"]


def test_run_says_that_the_backends_port_is_taken(wrapped, docker, wrap, port, capfd):
    env_files.keep(wrapped / "session_backend/.env", {"API_PORT": str(port)})
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(subprocess.CalledProcessError),  # which the original does not catch
    ):
        wrap("run")

    assert f"Port {port} is taken" in capfd.readouterr().err
    assert [] == docker.calls("up")


def test_run_says_what_docker_lacks(wrapped, docker, wrap):
    docker.fails_at("--format", says="Cannot connect to the Docker daemon")

    done = wrap("run")

    assert 1 == done.exit_code
    assert "not running" in done.stderr
    assert [] == docker.calls("up")


def test_build_builds_the_backends_image_as_well(wrapped, docker, wrap):
    done = wrap("build", "-t", "1.0", "--push", "-r", "registry.example.com")

    assert 0 == done.exit_code, done.stderr
    built = [call[2] for call in docker.calls("build")]
    assert ["my-agent:1.0", "my-agent-session-api:1.0"] == built
    assert [["push", "registry.example.com/my-agent-session-api:1.0"]] == docker.calls("push")


def test_the_originals_chart_gets_the_backend_each_time_that_it_is_written(wrapped, helm, wrap):
    chart = wrapped / "deployment/helm"
    first = wrap("generate", "helm")
    values = chart / "values.yaml"
    changed = (
        values.read_text()
        .replace("storage: 8Gi", "storage: 99Gi  # mine")
        .replace("replicaCount: 1", "replicaCount: 3")
    )
    values.write_text(changed)
    second = wrap("generate", "helm")

    assert (0, 0) == (first.exit_code, second.exit_code), first.stderr + second.stderr
    manifests = rendered(helm, chart, "rel")
    loaded = YAML(typ="safe").load(values)
    check(manifests)
    assert {"rel", "my-agent-session-api"} <= {
        one["metadata"]["name"] for one in manifests if one["kind"] == "Deployment"
    }
    assert ("99Gi", 3) == (loaded["sessionPostgresql"]["storage"], loaded["sessionApi"]["replicaCount"])
    assert 1 == loaded["replicaCount"]  # the original's own, which it writes anew
    assert "# -- Number of replicas to deploy" in values.read_text()
    assert 1 == (chart / "VALUES.md").read_text().count("## The session backend")
    assert ["SESSION_BACKEND_URL", "SESSION_BACKEND_ALLOW_INSECURE_KEY", "SESSION_BACKEND_API_KEY"] == [
        variable["name"] for variable in loaded["env"]
    ]


def test_a_url_that_the_values_set_already_stays(wrapped, wrap, tmp_path):
    given = tmp_path / "given.yaml"
    given.write_text("env:\n  - name: SESSION_BACKEND_URL\n    value: http://elsewhere:8001\n")

    wrap("generate", "helm", "-f", str(given))

    env = YAML(typ="safe").load(wrapped / "deployment/helm/values.yaml")["env"]
    assert ["http://elsewhere:8001"] == [one["value"] for one in env if one["name"] == "SESSION_BACKEND_URL"]
    assert 3 == len(env)


def test_the_originals_agent_finds_the_backend_in_its_chart(wrapped, helm, wrap):
    wrap("generate", "helm")

    manifests = rendered(helm, wrapped / "deployment/helm", "rel")
    names = {(one["kind"], one["metadata"]["name"]) for one in manifests}
    (agent,) = [one for one in manifests if (one["kind"], one["metadata"]["name"]) == ("Deployment", "rel")]
    environment = {one["name"]: one for one in agent["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert "http://my-agent-session-api:8001" == environment["SESSION_BACKEND_URL"]["value"]
    assert ("Service", "my-agent-session-api") in names
    assert all(len(workloads) == 1 for workloads in picked(manifests).values())


def test_the_originals_plain_manifests_get_the_backend_each_time(wrapped, wrap):
    for _ in range(2):
        done = wrap(
            "generate", "k8s", "-n", "team-a", "--image-uri", "registry.example.com/x/my-agent", "--image-tag", "1"
        )
        assert 0 == done.exit_code, done.stderr

    manifests = plain(wrapped / "deployment/k8s")
    check(manifests)
    (agent,) = [one for one in manifests if (one["kind"], one["metadata"]["name"]) == ("Deployment", "my-agent")]
    container = agent["spec"]["template"]["spec"]["containers"][0]
    assert 4 == len(container["env"]) == len({one["name"] for one in container["env"]})
    assert "registry.example.com/x/my-agent-session-api:1" in str(manifests)
    assert all(len(workloads) == 1 for workloads in picked(manifests).values())
    assert "create-key.sh team-a my-agent-session-api my-agent-session-key" in done.stdout


@pytest.mark.parametrize("kind", ["helm", "k8s"])
def test_without_wrap_the_originals_manifests_are_left_as_they_are(wrapped, cli, wrap, kind):
    wrap("generate", kind)
    before = files(wrapped)

    result = cli("generate", kind)

    assert 1 == result.exit_code
    assert "strands-session wrap generate" in result.stderr
    assert before == files(wrapped)


def test_without_strands_cli_it_says_that_it_is_not_installed(here, wrap):
    done = wrap("init", "x")

    assert 1 == done.exit_code
    assert "strands-cli is not installed here" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A package that is called strands_cli as well is installed."""
    place = tmp_path_factory.mktemp("other")
    (place / "strands_cli").mkdir()
    (place / "strands_cli/cli.py").write_text("import click\n\n@click.group()\ndef cli():\n    pass\n")
    yield from installed_from(place, monkeypatch)


def test_a_strands_cli_of_another_make_is_told(here, other, wrap):
    done = wrap("init", "x")

    assert 1 == done.exit_code
    assert "has no command init" in done.stderr


@pytest.mark.parametrize("arguments", [["-m", "strands_cli.cli"], ["-m", "strands_session_client.cli", "wrap"]])
def test_the_patch_gives_the_original_the_option_itself_and_wrap_adds_it_no_second_time(
    here, monkeypatch, tmp_path_factory, arguments
):
    source = tmp_path_factory.mktemp("strands-cli")
    shutil.copytree(ORIGINAL, source / "src", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(["git", "apply", ROOT / "contrib/strands-cli.patch"], cwd=source, check=True)
    monkeypatch.setenv("PYTHONPATH", str(source / "src"))

    called = [sys.executable, *arguments, "init"]
    done = subprocess.run([*called, "my-agent", "--session-state=postgresql"], capture_output=True, text=True)
    described = subprocess.run([*called, "--help"], capture_output=True, text=True)

    assert 0 == done.returncode, done.stderr
    assert 1 == done.stdout.count("keeps its sessions in PostgreSQL")
    assert (here / "my-agent/session_backend/compose.yaml").is_file()
    assert 1 == described.stdout.count("--session-state")
