"""HTTPS: with a real certificate, renewed while the server runs."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import httpx
import pytest

from cli.runtime.services import is_ready
from schemas.errors import OperatorError
from schemas.settings import Settings
from serving.blender.http.connection.protocol import HttpLimits
from serving.blender.http.connection.tls import ServerTls, server_tls
from serving.searcher.service import SearcherService
from tests.hostile.http.raw import get
from tests.support.serving.http_world import ids, over, post_vector, ready, serving

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate with"),
]


def certificate(folder: Path, name: str, *options: str) -> tuple[Path, Path]:
    """A self-signed one, by any name but the machine's."""
    chain, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-keyout", key,
         "-out", chain, "-days", "2", "-subj", f"/CN={name}.example", *(options or ("-nodes",))],
        check=True, capture_output=True,
    )  # fmt: skip
    return chain, key


def shown(address: tuple[str, int]) -> str:
    """The certificate that a new connection gets."""
    return ssl.get_server_certificate(address)


async def test_search_over_tls_and_a_renewed_certificate(tmp_path: Path, searcher: SearcherService) -> None:
    chain, key = certificate(tmp_path, "old")
    tls = ServerTls(chain, key, look_s=0.02)
    following = asyncio.create_task(tls.follow())
    async with serving(over(searcher), tls=tls.context) as client:
        await ready(client)
        assert client.base_url.scheme == "https"
        assert ids(await post_vector(client))[0] == "lamp"
        address = (client.base_url.host, client.base_url.port)
        settings = Settings(http_port=address[1], tls_certificate=str(chain), tls_key=str(key))
        assert settings.blender.url == f"https://127.0.0.1:{address[1]}"
        assert await asyncio.to_thread(is_ready, settings.blender)
        assert await asyncio.to_thread(shown, address) == chain.read_text()

        new, new_key = certificate(tmp_path, "new")
        stranger = Settings(http_port=address[1], tls_certificate=str(new), tls_key=str(new_key))
        assert not await asyncio.to_thread(is_ready, stranger.blender)
        chain.write_bytes(new.read_bytes())  # its key comes a moment later
        await asyncio.sleep(0.1)
        assert ids(await post_vector(client))[0] == "lamp"
        key.write_bytes(new_key.read_bytes())
        async with asyncio.timeout(60):
            while await asyncio.to_thread(shown, address) != new.read_text():
                await asyncio.sleep(0.02)
        assert ids(await post_vector(client))[0] == "lamp"  # the connection of before
        assert not following.done()
    following.cancel()


async def test_limits_hold_inside_tls_as_well(tmp_path: Path, searcher: SearcherService) -> None:
    chain, key = certificate(tmp_path, "shop")
    limits = HttpLimits(header_timeout_s=0.3, idle_timeout_s=0.3)
    async with serving(over(searcher), tls=ServerTls(chain, key).context, limits=limits) as client:
        trust = Settings(tls_certificate=str(chain), tls_key=str(key)).blender.trust()
        assert isinstance(trust, ssl.SSLContext)
        for request, answer in ((get()[:-2], b"header_timeout"), (get(), b'"ok"')):
            reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port, ssl=trust)
            writer.write(request)
            assert answer in await asyncio.wait_for(reader.read(), 60)
            writer.close()


async def test_plain_http_is_not_answered_where_tls_is(tmp_path: Path, searcher: SearcherService) -> None:
    chain, key = certificate(tmp_path, "shop")
    async with serving(over(searcher), tls=ServerTls(chain, key).context) as client, httpx.AsyncClient() as plain:
        with pytest.raises(httpx.TransportError):
            await plain.get(f"http://127.0.0.1:{client.base_url.port}/healthz")


def test_files_that_cannot_be_used_are_refused_at_the_start(tmp_path: Path) -> None:
    chain, key = certificate(tmp_path, "one")
    other, _ = certificate(tmp_path, "other")
    _, locked = certificate(tmp_path, "locked", "-passout", "pass:secret")
    for pair in ((tmp_path / "none.pem", key), (key, chain), (other, key), (chain, locked)):
        with pytest.raises(OperatorError, match="tls_certificate"):
            ServerTls(*pair)
    with pytest.raises(OperatorError, match="go together"):
        server_tls(Settings(tls_certificate=str(chain)))
    assert server_tls(Settings()) is None
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not is_ready(Settings(http_port=silent.getsockname()[1]).blender)
