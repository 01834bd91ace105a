"""What the Flink operator takes: its definition of a FlinkDeployment, as it is published."""

from __future__ import annotations

import zipfile
from functools import cache
from importlib.metadata import version
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator

from cli.runtime.programs import REPOSITORY
from tests.support.deployed import Document

_CRD = "META-INF/fabric8/flinkdeployments.flink.apache.org-v1.yml"


@cache
def operator() -> Validator:
    """Takes a FlinkDeployment, but no field that is not known; of our Flink, before which its list ends."""
    jars = sorted((REPOSITORY / ".cache" / "jars-dev").glob("flink-kubernetes-operator-api-*.jar"))
    if not jars:
        pytest.skip("no definition of the Flink operator's resources: make setup-dev fetches it by Maven")
    with zipfile.ZipFile(jars[0]) as jar:
        definition = yaml.load(jar.read(_CRD), Loader=yaml.CSafeLoader)  # half a megabyte
    schema: Document = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    _close(schema["properties"]["spec"])
    known = schema["properties"]["spec"]["properties"]["flinkVersion"]["enum"]
    known.append(our_flink())
    return Draft202012Validator(schema)


def our_flink() -> str:
    """As the operator writes it: v2_3 for 2.3.0."""
    return "v{}_{}".format(*version("apache-flink").split("."))


def _close(schema: Any) -> None:
    if isinstance(schema, dict):
        if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
            schema.setdefault("additionalProperties", False)
        for value in schema.values():
            _close(value)
