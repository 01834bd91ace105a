"""The manifests are what Kubernetes and the Flink operator take, and fit each other and the settings."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess

import kubernetes_validate
import pytest
import yaml

from cli.runtime.flink.jvm import java_options
from cli.runtime.programs import REPOSITORY, flink_home
from schemas.access.exposure import check_grpc_exposure, check_http_exposure
from serving.exposition import METRICS_PORT_OFFSET
from tests.support.deployed import DOCKER, Document, cluster_settings, manifests, named, of_kind, pods
from tests.support.flink_operator import operator, our_flink

OWN = [document for document in manifests() if document["kind"] != "FlinkDeployment"]


def ids(documents: list[Document]) -> list[str]:
    return [f"{document['kind']}-{document['metadata']['name']}" for document in documents]


@pytest.mark.parametrize("document", OWN, ids=ids(OWN))
def test_kubernetes_takes_the_manifest(document: Document) -> None:
    kubernetes_validate.validate(document, "1.34", strict=True)


def test_wrong_field_and_wrong_type_are_noticed() -> None:
    for wrong in ({"replicaz": 2}, {"replicas": "two"}):
        document = copy.deepcopy(named("Deployment", "broker"))
        document["spec"].update(wrong)
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(document, "1.34", strict=True)


def test_flink_operator_takes_the_deployment() -> None:
    operator().validate(named("FlinkDeployment", "stream"))
    for wrong in ({"flinkVersionn": "v2_3"}, {"flinkVersion": "v9_9"}, {"job": {"parallelism": "one"}}):
        document = copy.deepcopy(named("FlinkDeployment", "stream"))
        document["spec"].update(wrong)
        assert list(operator().iter_errors(document)), wrong


def test_flink_of_the_deployment_is_the_one_that_is_installed() -> None:
    spec = named("FlinkDeployment", "stream")["spec"]
    assert spec["flinkVersion"] == our_flink()
    jar = spec["job"]["jarURI"].removeprefix("local:///opt/flink/home/")
    assert (flink_home() / jar).exists()
    assert all(isinstance(value, str) for value in spec["flinkConfiguration"].values())
    assert (REPOSITORY / spec["job"]["args"][-1].removeprefix("/opt/vitrine/")).exists()
    assert spec["flinkConfiguration"]["env.java.opts.all"].split() == [
        option for option in java_options() if option.startswith("--")
    ]
    template = spec["podTemplate"]
    kubernetes_validate.validate({**template, "metadata": {"name": "stream"}}, "1.34", strict=True)


@pytest.mark.parametrize(("where", "pod"), [*pods()], ids=[where for where, _ in pods()])
def test_pod_is_no_root_and_writes_nowhere_but_to_its_volumes(where: str, pod: Document) -> None:
    spec = pod["spec"]
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["runAsUser"] > 0
    for container in spec["containers"]:
        closed = container["securityContext"]
        assert closed["readOnlyRootFilesystem"]
        assert not closed["allowPrivilegeEscalation"]
        assert closed["capabilities"] == {"drop": ["ALL"]}
        mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        assert {"/var/lib/vitrine", "/tmp"} <= mounts.keys()
        claimed = {claim["metadata"]["name"] for document in of_kind("StatefulSet") for claim in
                   document["spec"]["volumeClaimTemplates"]}  # fmt: skip
        assert set(mounts.values()) <= {volume["name"] for volume in spec["volumes"]} | claimed


def test_what_listens_is_probed_and_has_a_budget() -> None:
    budgets = [document["spec"]["selector"]["matchLabels"] for document in of_kind("PodDisruptionBudget")]
    for document in of_kind("Deployment", "StatefulSet"):
        pod = document["spec"]["template"]
        (container,) = pod["spec"]["containers"]
        ports = {port["name"] for port in container.get("ports", ())}
        probed = {kind: container[kind]["httpGet"] for kind in container if kind.endswith("Probe")}
        assert bool(ports) == ({"livenessProbe", "readinessProbe"} <= probed.keys()), document["metadata"]["name"]
        assert {probe["port"] for probe in probed.values()} <= ports
        assert document["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
        assert bool(ports) == any(labels.items() <= pod["metadata"]["labels"].items() for labels in budgets)


def test_ports_are_those_of_the_settings() -> None:
    settings = cluster_settings()
    tier = settings.tier
    expected = {
        "searcher": {tier.searcher_port(1, 1), tier.searcher_port(1, 1) + METRICS_PORT_OFFSET},
        "broker": {settings.grpc_port, settings.grpc_port + METRICS_PORT_OFFSET},
        "blender": {settings.http_port},
    }
    for document in of_kind("Deployment", "StatefulSet"):
        (container,) = document["spec"]["template"]["spec"]["containers"]
        ports = {port["containerPort"] for port in container.get("ports", ())}
        assert ports == expected.get(container["name"], set())
    host, _, port = tier.broker.partition(":")
    assert int(port) in {entry["port"] for entry in named("Service", host)["spec"]["ports"]}
    pod, service = tier.searcher(1, 1).partition(":")[0].split(".")
    assert pod == "searcher-1-1"
    assert {document["spec"]["serviceName"] for document in of_kind("StatefulSet")} == {service}
    assert named("Service", service)["spec"]["clusterIP"] == "None"


def test_each_shard_has_its_searchers_and_they_differ_in_nothing_else() -> None:
    settings = cluster_settings()
    sets = of_kind("StatefulSet")
    assert [document["metadata"]["name"] for document in sets] == [f"searcher-{n}" for n in range(settings.shards)]
    first = json.dumps(sets[0])
    for number, document in enumerate(sets):
        assert document["spec"]["replicas"] == settings.replicas
        as_first = json.dumps(document).replace(f"searcher-{number}", "searcher-0")
        assert as_first.replace(f'"vitrine/shard": "{number}"', '"vitrine/shard": "0"') == first


def test_open_addresses_are_allowed_and_nobody_reaches_them_but_who_is_named() -> None:
    settings = cluster_settings()
    check_http_exposure(settings)
    check_grpc_exposure(settings)
    policies = {document["metadata"]["name"]: document["spec"] for document in of_kind("NetworkPolicy")}
    assert policies.pop("nobody") == {"podSelector": {}, "policyTypes": ["Ingress"]}
    labels = [pod["metadata"]["labels"] for _, pod in pods()]
    labels += [{"app": named("FlinkDeployment", "stream")["metadata"]["name"]}]  # which Flink gives to its pods
    for spec in policies.values():
        selectors = [spec["podSelector"], *(way["podSelector"] for rule in spec["ingress"] for way in rule["from"]
                                            if "podSelector" in way)]  # fmt: skip
        for selector in selectors:
            wanted = selector.get("matchLabels", {}).items()
            assert any(wanted <= each.items() for each in labels), f"{selector} selects no pod"
    reached = {spec["podSelector"].get("matchLabels", {}).get("app.kubernetes.io/name") for spec in policies.values()}
    assert {"blender", "broker", "searcher"} <= reached


def test_kustomize_builds_the_whole() -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("no kubectl on PATH")
    built = subprocess.run(
        ["kubectl", "kustomize", str(DOCKER / "kubernetes")], capture_output=True, text=True, timeout=60, check=False
    )
    assert built.returncode == 0, built.stderr
    documents = list(yaml.safe_load_all(built.stdout))
    assert len(documents) == len(manifests())
    assert {each["metadata"].get("namespace", "vitrine") for each in documents} == {"vitrine"}
