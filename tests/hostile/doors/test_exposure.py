"""Servers told to listen where other machines reach them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cli.runtime.environment import child_environment
from cli.runtime.programs import REPOSITORY
from schemas.settings import load_settings
from tests.ports import free_block


@pytest.mark.parametrize(
    ("server", "names"),
    [
        (["serving.broker"], "grpc_tls_ca"),
        (["serving.searcher", "--shard", "0"], "grpc_tls_ca"),
        (["serving.blender"], "api_keys_file"),
        (["cli.main", "start"], "api_keys_file"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_server_does_not_start_open_to_other_machines(tmp_path: Path, server: list[str], names: str) -> None:
    port = free_block(4)
    settings = load_settings(
        {}, home=str(tmp_path), host="0.0.0.0", http_port=port, grpc_port=port + 1, kafka_bootstrap="127.0.0.1:9"
    )
    done = subprocess.run(
        [sys.executable, "-m", *server],
        cwd=REPOSITORY,
        env=child_environment(settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 2, done.stderr
    last = done.stderr.splitlines()[-1]
    assert names in last
    assert "VITRINE_ALLOW_OPEN_ADDRESS=true" in last
