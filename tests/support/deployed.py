"""What docker/ says to Compose, Kubernetes, systemd and Prometheus, as plain data."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from typing import Any

import yaml

from cli.runtime.programs import REPOSITORY
from schemas.settings import Settings, load_settings

DOCKER = REPOSITORY / "docker"
Document = dict[str, Any]


@cache
def compose() -> Document:
    """Its services by name."""
    services: Document = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
    return services


@cache
def manifests() -> tuple[Document, ...]:
    """Every document that the kustomization names, in its order."""
    folder = DOCKER / "kubernetes"
    files = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    return tuple(document for file in files for document in yaml.safe_load_all((folder / file).read_text()))


def of_kind(*kinds: str) -> list[Document]:
    return [document for document in manifests() if document["kind"] in kinds]


def named(kind: str, name: str) -> Document:
    return next(document for document in of_kind(kind) if document["metadata"]["name"] == name)


def cluster_settings() -> Settings:
    """What a pod reads from the ConfigMap."""
    return load_settings(named("ConfigMap", "vitrine")["data"], home="/var/lib/vitrine")


def pods() -> Iterator[tuple[str, Document]]:
    """(kind/name, pod template) of everything that makes pods; of Flink's its template, which is partial."""
    for document in manifests():
        where = f"{document['kind']}/{document['metadata']['name']}"
        match document["kind"]:
            case "Deployment" | "StatefulSet":
                yield where, document["spec"]["template"]
            case "CronJob":
                yield where, document["spec"]["jobTemplate"]["spec"]["template"]
            case "FlinkDeployment":
                yield where, document["spec"]["podTemplate"]


def units() -> dict[str, list[tuple[str, str, str]]]:
    """By file of docker/systemd its lines: (section, directive, value)."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for file in sorted((DOCKER / "systemd").iterdir()):
        section, lines = "", found.setdefault(file.name, [])
        for line in file.read_text().splitlines():
            if match := re.fullmatch(r"\[(\w+)\]", line):
                section = match[1]
            elif line and not line.startswith("#"):
                name, _, value = line.partition("=")
                lines.append((section, name, value))
    return found


def image_commands() -> Iterator[tuple[str, list[str]]]:
    """(where, command) of everything of ours that a container is told to run, health checks included."""
    for name, service in compose().items():
        if service["image"].startswith("vitrine-"):
            if command := service.get("command"):
                yield f"compose {name}", command
            if test := service.get("healthcheck", {}).get("test"):
                yield f"compose {name}, health", test[1:]
    for where, pod in pods():
        for container in pod["spec"]["containers"]:
            if command := container.get("command"):
                yield where, command
    for text in re.findall(r"^(?: +)?CMD (\[.*\])$", (DOCKER / "Dockerfile").read_text(), re.M):
        yield "Dockerfile", json.loads(text)


def image_health() -> list[list[str]]:
    """The images' own checks, where Compose has no other: of serving, of Flink."""
    text = (DOCKER / "Dockerfile").read_text()
    return [json.loads(found) for found in re.findall(r"^HEALTHCHECK .*\\\n +CMD (\[.*\])$", text, re.M)]


def unit_commands() -> Iterator[tuple[str, list[str]]]:
    """(file, command) of each ExecStart."""
    for name, lines in units().items():
        for _, directive, value in lines:
            if directive.startswith("Exec"):
                yield name, shlex.split(value.lstrip("-"))


def rules() -> list[Document]:
    """All alerts and recorded series of docker/prometheus/alerts.yml."""
    groups = yaml.safe_load((DOCKER / "prometheus" / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard() -> Document:
    text = (DOCKER / "grafana" / "dashboards" / "vitrine.json").read_text()
    document: Document = json.loads(text)
    return document


def queries() -> list[str]:
    """Every expression that Prometheus would be asked, by a rule or by the dashboard."""
    shown = [target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", ())]
    return [*(rule["expr"] for rule in rules()), *shown, dashboard()["annotations"]["list"][0]["expr"]]
