"""What the chart renders is valid for Kubernetes, for every values file and every name of a release."""

from __future__ import annotations

import json
import re

import kubernetes_validate
import pytest
import yaml

from session_api.version import __version__

from ..conftest import ROOT
from .rendering import CHART, FILES, lint, of_kind, pods, render

# Kinds of the Prometheus operator, of which the validator has no schema.
FOREIGN = {"ServiceMonitor", "PrometheusRule"}
RELEASES = ["sessions", "session-api", "a", "my.dotted.release", "1st", "x" * 53, f"{'x' * 52}y", "my-session-api-2"]

FIRST = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")


@pytest.mark.parametrize("version", ["1.29", kubernetes_validate.latest_version()])
@pytest.mark.parametrize("upgrade", [False, True], ids=["install", "upgrade"])
@pytest.mark.parametrize("files", FILES)
def test_every_manifest_is_valid(files: str, upgrade: bool, version: str) -> None:
    manifests = render(files, upgrade=upgrade)

    assert len(manifests) > 8
    for manifest in manifests:
        if manifest["kind"] not in FOREIGN:
            kubernetes_validate.validate(manifest, version, strict=True)


def test_every_values_file_is_among_those() -> None:
    named = {name for names in FILES.values() for name in names}

    assert {path.name for path in CHART.glob("values-*.yaml")} == named


@pytest.mark.parametrize("files", FILES)
def test_lint_has_nothing_to_say(files: str) -> None:
    made = lint(files)

    assert 0 == made.returncode, made.stdout
    assert "WARNING" not in made.stdout


@pytest.mark.parametrize("files", ["development", "production"])
@pytest.mark.parametrize("release", RELEASES)
def test_names_and_labels_are_valid_whatever_the_release_is_called(files: str, release: str) -> None:
    manifests = render(files, release)
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests]
    labels = [manifest["metadata"].get("labels", {}) for manifest in [*manifests, *pods(manifests).values()]]

    assert len(set(names)) == len(names)
    for kind, name in names:
        # A StatefulSet's name gets a hash of up to 11 characters appended in a label of its pods.
        assert FIRST.fullmatch(name), name
        assert len(name) <= (52 if kind == "StatefulSet" else 63)
    for values in labels:
        assert all(LABEL.fullmatch(value) and len(value) <= 63 for value in values.values()), values


def test_no_two_releases_share_a_name() -> None:
    releases = [*RELEASES, "my-dotted-release", "r1st"]
    names = {
        manifest["metadata"]["name"]
        for release in releases
        for manifest in of_kind(render(release=release), "Deployment")
    }

    assert len(releases) == len(names)


def test_the_chart_is_of_the_service_s_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())

    assert {__version__} == {chart["version"], chart["appVersion"]}
    assert f"strands-session-api:{__version__}" in str(render())


def test_every_value_is_in_the_schema_and_the_other_way_round() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())

    def names(given: object, described: dict[str, object], path: str) -> tuple[set[str], set[str]]:
        if not isinstance(given, dict) or "properties" not in described or path == ".config":
            return set(), set()
        properties = described["properties"]
        own = {f"{path}.{name}" for name in given}, {f"{path}.{name}" for name in properties}
        for name in given.keys() & properties.keys():
            below = names(given[name], properties[name], f"{path}.{name}")
            own = own[0] | below[0], own[1] | below[1]
        return own

    given, described = names(values, schema, "")

    assert given == described - {".global"}


def test_the_guide_names_every_values_file() -> None:
    operations = (ROOT / "docs" / "operations.md").read_text()

    assert all(name in operations for names in FILES.values() for name in names)
