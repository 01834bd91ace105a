"""The blender's port: taken once, and without the wait that small answers would suffer."""

from __future__ import annotations

import socket

import pytest

from schemas.errors import OperatorError
from serving.blender.main import listening


def test_an_answers_body_does_not_wait_for_its_heads_acknowledgement() -> None:
    with listening("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_port_in_use_names_the_setting() -> None:
    with (
        listening("127.0.0.1", 0) as listener,
        pytest.raises(OperatorError, match="VITRINE_HTTP_PORT"),
    ):
        listening("127.0.0.1", listener.getsockname()[1])
