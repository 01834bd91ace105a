"""What every drill on several hosts needs: hosts, HAProxy, and a log that asks who connects."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path

import grpc
import pytest

from benchmarks.harness.balanced import HAPROXY
from schemas.search_pb2 import StatusRequest
from schemas.search_pb2_grpc import SearchStub
from tests.hostile.doors.authority import Authority
from tests.hostile.doors.secure_kafka import SecureKafka, secure_kafka
from tests.hosts.network import Network, why_not

ON_HOSTS = [
    pytest.mark.drill,
    pytest.mark.skipif(HAPROXY is None, reason="no haproxy on this machine; make tools installs it"),
    pytest.mark.skipif(bool(why_not()), reason=why_not() or "there are hosts"),
]


def kafka_on(network: Network, host: str, folder: Path) -> AbstractContextManager[SecureKafka]:
    """A Kafka within that host, its files below `folder`."""
    (folder / "kafka").mkdir()
    return secure_kafka(folder / "kafka", network.address(host), network.within(host))


def assert_strangers_are_refused(services: Iterable[str], ours: Authority, folder: Path) -> None:
    """Neither in clear nor with another authority's certificate does one get an answer by gRPC at these addresses."""
    certificate, key = Authority(folder / "stranger", "stranger").issue("stranger")
    theirs = grpc.ssl_channel_credentials(ours.certificate.read_bytes(), key.read_bytes(), certificate.read_bytes())
    for address in services:
        for channel in (grpc.insecure_channel(address), grpc.secure_channel(address, theirs)):
            with channel, pytest.raises(grpc.RpcError) as refused:
                SearchStub(channel).Status(StatusRequest(), timeout=10)  # type: ignore[no-untyped-call]
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
