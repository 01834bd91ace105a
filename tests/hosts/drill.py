"""What every drill on several hosts needs: hosts, HAProxy, and a log that asks who connects."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from benchmarks.harness.balanced import HAPROXY
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
