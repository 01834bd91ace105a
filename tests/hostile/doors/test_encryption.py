"""The whole system against a Kafka that demands certificate and password, with certificates between its services."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import httpx
import msgspec
import psutil
import pytest

from cli.runtime.environment import child_environment
from cli.runtime.flink.access import FlinkAccess
from cli.runtime.flink.rest import FlinkRest
from cli.runtime.programs import REPOSITORY
from jobs.realtime_index.stream_jobs import STREAM_JOB
from messaging.admin import wait_for_kafka
from schemas.access.grpc import channel
from schemas.errors import OperatorError
from schemas.search_pb2 import StatusRequest
from schemas.search_pb2_grpc import SearchStub
from tests.e2e.test_replay import history, replayed, settled_digests
from tests.hostile.doors.authority import Authority
from tests.hostile.doors.secure_kafka import PASSWORD, SecureKafka, add_scram_user, secure_kafka
from tests.hostile.doors.sockets import processes_of
from tests.support.whole.damage import letters_about
from tests.support.whole.full_index import digests
from tests.support.whole.pictures import picture, write_pictures
from tests.support.whole.talking import added
from tests.system import System, eventually

pytestmark = [
    pytest.mark.drill,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl on this machine"),
]


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    with secure_kafka(tmp_path_factory.mktemp("secure-kafka")) as running:
        yield running


@pytest.fixture(scope="module")
def guarded(kafka: SecureKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system of which every connection between processes of ours and to Kafka is encrypted."""
    home = tmp_path_factory.mktemp("guarded")
    certificate, key = Authority(home / "authority", "services").issue("services")
    running = System(
        home / "home",
        **kafka.settings,
        grpc_tls_ca=str(home / "authority" / "ca.pem"),
        grpc_tls_certificate=str(certificate),
        grpc_tls_key=str(key),
    )
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def stocked(guarded: System) -> System:
    """With one product in it, found by its photo."""
    urls = write_pictures(guarded.home / "pictures", range(1))
    event = {"type": "product_added", "product_id": "sealed", "product": {"price": 5}, "images": [{"url": urls[0]}]}
    guarded.produce(event)
    guarded.wait_searchable(["sealed"])
    return guarded


def test_event_becomes_an_answer_over_encrypted_connections_alone(stocked: System) -> None:
    """Source and sink of the streaming job, its stages' producers, heartbeat, searchers, broker, blender, status."""
    assert [found["product_id"] for found in stocked.search(picture(0))["results"]] == ["sealed"]
    stocked.wait_settled()
    done = _vitrine(stocked, "status", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["problems"] == []


def test_replay_over_encrypted_connections_finds_nothing_and_changes_nothing(stocked: System) -> None:
    absent = (stocked.home / "absent.jpg").as_uri()
    stocked.produce(added("sealed-late", absent), *history(stocked, "replayed", 12, 9000))
    eventually(lambda: letters_about(stocked, absent), "the absent picture is a dead letter")
    before = settled_digests(stocked)
    report = replayed(stocked, "--check")
    assert report.found_nothing, report
    assert report.settled
    assert report.healed_rows == 0
    assert {shard.verdict for shard in report.shards} == {"equal"}
    assert [shard.truth for shard in report.shards] == before == digests(stocked)
    assert report.features.given_up >= 1
    assert absent not in " ".join(report.features.examples)
    assert stocked.searchable_images("sealed-late") == [0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"protocol": "PLAINTEXT", "ca": "", "certificate": "", "key": "", "username": "", "password_file": ""},
        {"protocol": "SSL", "username": "", "password_file": ""},
        {"certificate": "", "key": ""},
        {"password_file": "other"},
        {"mechanism": "SCRAM-SHA-512"},
        {"ca": "other"},
    ],
    ids=lambda wrong: next(iter(wrong)) + "=" + next(iter(wrong.values())),
)
def test_kafka_takes_nobody_who_lacks_a_part(kafka: SecureKafka, tmp_path: Path, wrong: dict[str, str]) -> None:
    other = tmp_path / "other"
    other.write_text("wrong-" + PASSWORD)
    if wrong.get("ca"):
        other = Authority(tmp_path / "elsewhere", "elsewhere").certificate
    access = replace(
        kafka.access, **{name: value and value.replace("other", str(other)) for name, value in wrong.items()}
    )
    with pytest.raises(OperatorError) as refused:
        wait_for_kafka(access, 0.0)
    assert PASSWORD not in str(refused.value)
    assert kafka.access.addresses in str(refused.value)


def test_scram_is_spoken_as_well(kafka: SecureKafka) -> None:
    add_scram_user(kafka.access, "scram", PASSWORD)
    access = replace(kafka.access, mechanism="SCRAM-SHA-512", username="scram")
    wait_for_kafka(access, 20.0)


def test_grpc_answers_nobody_without_a_certificate(stocked: System, tmp_path: Path) -> None:
    settings = stocked.settings
    stranger, key = Authority(tmp_path / "stranger", "stranger").issue("stranger")
    strangers = {"grpc_tls_certificate": str(stranger), "grpc_tls_key": str(key)}
    nothing = dict.fromkeys(("grpc_tls_ca", "grpc_tls_certificate", "grpc_tls_key"), "")
    for port in (settings.grpc_port, settings.tier.searcher_port(0)):
        address = f"127.0.0.1:{port}"
        assert _status(channel(settings.tier, address)) is None
        for wrong in (strangers, nothing):
            assert _status(channel(msgspec.structs.replace(settings, **wrong).tier, address)) == "UNAVAILABLE"
        # The authority is known and the server believed, but no certificate is shown.
        ca = grpc.ssl_channel_credentials(Path(settings.grpc_tls_ca).read_bytes())
        assert _status(grpc.secure_channel(address, ca)) == "UNAVAILABLE"


def test_no_secret_is_shown_or_written_anywhere_else(stocked: System, kafka: SecureKafka) -> None:
    """Not in a log, a status, a view of Flink's, a command line, nor in any file but the one for Flink's clients."""
    key = Path(kafka.access.key).read_text().splitlines()[1]
    services_key = Path(stocked.settings.grpc_tls_key).read_text().splitlines()[1]
    secrets = [PASSWORD, msgspec.json.encode(PASSWORD).decode()[1:-1], "pass\\\\word", key, services_key]
    shown = {"status": _vitrine(stocked, "status", "--json").stdout}
    shown |= {f"command of {process.pid}": _command_line(process) for process in processes_of(str(stocked.home))}
    shown |= _flink_views(stocked)
    shown |= _files_below(stocked.home)
    assert len(shown) > 50
    found = [where for where, text in shown.items() if any(secret in text for secret in secrets)]
    allowed = Path(stocked.settings.kafka.flink_secrets)
    assert found == [str(allowed)]
    assert allowed.stat().st_mode & 0o777 == 0o600


def _files_below(folder: Path) -> dict[str, str]:
    """All that lies there, in a system that goes on writing and removing meanwhile."""
    found = {}

    def refused(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error

    for place, _, names in os.walk(folder, onerror=refused):
        for file in (Path(place, name) for name in names):
            with contextlib.suppress(FileNotFoundError):
                if file.is_file():
                    found[str(file)] = file.read_bytes().decode(errors="replace")
    return found


def _vitrine(system: System, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        cwd=REPOSITORY,
        env=child_environment(system.settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def _status(connected: grpc.Channel) -> str | None:
    """None: an answer came; else the code of the refusal."""
    with connected:
        try:
            SearchStub(connected).Status(StatusRequest(), timeout=20)  # type: ignore[no-untyped-call]
        except grpc.RpcError as error:
            return str(error.code().name)
    return None


def _command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def _flink_views(system: System) -> dict[str, str]:
    with FlinkRest(FlinkAccess.of(system.settings)) as rest:
        job = rest.live_job(STREAM_JOB.name)
    assert job is not None
    with httpx.Client(base_url=f"http://127.0.0.1:{system.settings.flink_port}", trust_env=False, timeout=30) as client:
        manager = client.get("/taskmanagers").json()["taskmanagers"][0]["id"]
        paths = [
            *("/jobmanager/config", "/jobmanager/environment", "/jobmanager/log", f"/taskmanagers/{manager}/log"),
            *(f"/jobs/{job['jid']}{view}" for view in ("", "/config", "/plan", "/exceptions", "/jobmanager/config")),
        ]
        answers = {path: client.get(path) for path in paths}
    assert all(answer.status_code == 200 for answer in answers.values()), answers
    return {path: answer.text for path, answer in answers.items()}
