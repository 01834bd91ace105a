"""Certificates of the services, renewed while they run: by their authority, and with another authority."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from schemas.access.certificates import Certificates
from schemas.access.tier import TierAccess
from schemas.errors import TransientError
from serving.grpc_api import GrpcBackend, start_server
from serving.local import LocalBackend
from tests.hostile.doors.authority import Authority
from tests.support.serving.found import hits
from tests.support.serving.world import batch, direction, listed, query, ready_searcher

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl on this machine"),
]


class Files:
    """What one process is told to read: authority, certificate and key, put in place as a renewal does."""

    def __init__(self, folder: Path, authority: Authority, name: str) -> None:
        folder.mkdir()
        self.ca, self.certificate, self.key = (folder / each for each in ("ca.pem", "certificate.pem", "key.pem"))
        self.renew(authority, name)

    def renew(self, authority: Authority, name: str) -> None:
        certificate, key = authority.issue(name)
        put(authority.certificate, self.ca)
        put(certificate, self.certificate)
        put(key, self.key)

    def held(self) -> Certificates:
        """Looks at the files at every use."""
        tier = TierAccess("127.0.0.1", 1, ca=str(self.ca), certificate=str(self.certificate), key=str(self.key))
        return Certificates(tier, look_s=0.0)


def put(source: Path, target: Path) -> None:
    beside = target.with_suffix(".new")
    shutil.copyfile(source, beside)
    beside.replace(target)


@asynccontextmanager
async def searcher(held: Certificates) -> AsyncIterator[int]:
    """A real one, product p in it; gives its port."""
    backend = LocalBackend(ready_searcher(0, 0, listed(batch(), "p", [direction(1)]), 1))
    server, port = await start_server(backend, "127.0.0.1", 0, held.for_server())
    try:
        yield port
    finally:
        await server.stop(None)
        await backend.close()


async def found(backend: GrpcBackend) -> list[str]:
    return [hit.product_id for hit in hits(await backend.search(query(direction(1)), 20.0))]


async def refused(port: int, held: Certificates) -> bool:
    """Whether a connection that is made now is."""
    stranger = GrpcBackend(f"127.0.0.1:{port}", held)
    try:
        await stranger.status(5.0)
    except TransientError:
        return True
    finally:
        await stranger.close()
    return False


async def test_both_sides_go_over_to_another_authority_and_nobody_of_the_old_one_comes_in(tmp_path: Path) -> None:
    old, new = Authority(tmp_path / "old", "old"), Authority(tmp_path / "new", "new")
    server, client = Files(tmp_path / "server", old, "server"), Files(tmp_path / "client", old, "client")
    left_behind = Files(tmp_path / "left", old, "left")
    held = client.held()
    async with searcher(server.held()) as port:
        backend = GrpcBackend(f"127.0.0.1:{port}", held)
        assert await found(backend) == ["p"]
        assert not await refused(port, left_behind.held())
        server.renew(new, "server-2")
        client.renew(new, "client-2")
        for _ in range(3):
            assert await found(backend) == ["p"], "over a connection of the new authority's"
        assert held.version == 1
        assert await refused(port, left_behind.held())
        await backend.close()


async def test_half_a_renewal_is_left_alone_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    authority = Authority(tmp_path / "authority", "authority")
    files = Files(tmp_path / "files", authority, "one")
    held = files.held()
    async with searcher(held) as port:
        backend = GrpcBackend(f"127.0.0.1:{port}", held)
        certificate, key = authority.issue("two")
        put(certificate, files.certificate)
        assert await found(backend) == ["p"]
        assert not await refused(port, held), "with the certificate that there was"
        assert held.version == 0
        assert "certificate_not_renewed" in caplog.text
        put(key, files.key)
        assert await found(backend) == ["p"]
        assert held.version == 1
        await backend.close()
