"""The component that gives extraction nodes of its own fits the rest of the manifests and the settings."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from jobs.realtime_index.stream_jobs import EXTRACTION_JOB, STREAM_JOB, stream_jobs
from schemas.settings import load_settings
from tests.support.deployed import DOCKER, Document, manifests, named
from tests.support.flink_operator import operator

COMPONENT = DOCKER / "kubernetes" / "extraction"


@pytest.fixture(scope="module")
def own() -> dict[str, Document]:
    """What it adds, by kind."""
    text = (COMPONENT / "extraction.yaml").read_text()
    return {document["kind"]: document for document in yaml.safe_load_all(text)}


def test_flink_operator_and_kubernetes_take_it(own: dict[str, Document]) -> None:
    operator().validate(own["FlinkDeployment"])
    kubernetes_validate.validate(own["NetworkPolicy"], "1.34", strict=True)
    template = own["FlinkDeployment"]["spec"]["podTemplate"]
    kubernetes_validate.validate({**template, "metadata": {"name": "extraction"}}, "1.34", strict=True)


def test_it_differs_from_the_stream_in_its_job_and_its_disk_alone(own: dict[str, Document]) -> None:
    ours, theirs = (document["spec"] for document in (own["FlinkDeployment"], named("FlinkDeployment", "stream")))
    differing = {key for key in theirs if ours[key] != theirs[key]}
    assert differing == {"job", "podTemplate"}
    assert ours["job"]["args"] == [*theirs["job"]["args"], "--stream-job", EXTRACTION_JOB.key]
    (container,), (of_stream,) = (spec["podTemplate"]["spec"]["containers"] for spec in (ours, theirs))
    assert container["securityContext"] == of_stream["securityContext"]
    assert ours["podTemplate"]["spec"]["securityContext"] == theirs["podTemplate"]["spec"]["securityContext"]
    volumes = ours["podTemplate"]["spec"]["volumes"]
    assert all("emptyDir" in volume for volume in volumes), "a node of its own reaches no volume of another"
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in volumes}


def test_its_policy_is_that_of_the_stream_for_its_own_pods(own: dict[str, Document]) -> None:
    theirs = yaml.safe_dump(named("NetworkPolicy", "flink")["spec"]).replace("app: stream", "app: extraction")
    assert yaml.safe_dump(own["NetworkPolicy"]["spec"]) == theirs
    assert own["FlinkDeployment"]["metadata"]["name"] == "extraction", "which Flink labels its pods with"


def test_overlay_with_it_has_both_jobs_and_all_else_as_before(tmp_path: Path) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("no kubectl on PATH")
    base, component = (os.path.relpath(folder, tmp_path.resolve()) for folder in (DOCKER / "kubernetes", COMPONENT))
    overlay: dict[str, Any] = {"kind": "Kustomization", "resources": [base], "components": [component]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    built = subprocess.run(
        ["kubectl", "kustomize", str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert built.returncode == 0, built.stderr
    documents = list(yaml.safe_load_all(built.stdout))
    assert len(documents) == len(manifests()) + 2
    (data,) = (each["data"] for each in documents if each["kind"] == "ConfigMap")
    assert stream_jobs(load_settings(data)) == (STREAM_JOB, EXTRACTION_JOB)
