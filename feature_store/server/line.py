"""One connection to the node that holds a key; commands go out together, and their answers come in together."""

from __future__ import annotations

from typing import Any

from redis.connection import Connection, SSLConnection
from redis.exceptions import RedisError, ResponseError

from feature_store.server.errors import translated
from schemas.access.store import StoreServer

Command = tuple[bytes | str | int, ...]

_CONNECT_S = 5.0
_ANSWER_S = 30.0
"""A server that says nothing for that long is away; a rewrite of its log takes no call this long."""
_MOVES = 5


class Line:
    """Belongs to one thread. Connects when first used, and anew at the next call after an error.

    key: of the cluster's node wanted; a server that is no cluster answers for every key.
    """

    def __init__(self, server: StoreServer, key: bytes) -> None:
        self._server = server
        self._key = key
        self._connection: Any = None
        self.address = str(server)

    @property
    def connected(self) -> bool:
        """False once an error or `close` ended the connection, and with it what it watched."""
        return self._connection is not None

    def call(self, *commands: Command) -> list[Any]:
        """Answers in the order of `commands`, after one round trip.

        Raises `TransientError` where the server is away, `OperatorError` where
        it refuses us; either way it is not known what of `commands` was done.
        """
        try:
            if self._connection is None:
                self._connection = self._connect()
            answers = _exchange(self._connection, commands)
        except (RedisError, OSError) as error:
            self.close()
            raise translated(error, self.address) from error
        for answer in answers:
            if isinstance(answer, Exception):
                self.close()
                raise translated(answer, self.address) from answer
        return answers

    def close(self) -> None:
        if self._connection is not None:
            self._connection.disconnect()
            self._connection = None

    def _connect(self) -> Any:
        """To the server of the settings, and from there to the node that the cluster names."""
        host, port = self._server.host, self._server.port
        for _ in range(_MOVES):
            self.address = f"{host}:{port}"
            connection = self._open(host, port)
            (answer,) = _exchange(connection, [("EXISTS", self._key)])
            if not isinstance(answer, ResponseError):
                return connection
            connection.disconnect()
            if not str(answer).startswith("MOVED "):
                raise answer
            node, _, moved_port = str(answer).split()[2].rpartition(":")
            host, port = node or host, int(moved_port)
        raise ResponseError(f"the cluster sent us on {_MOVES} times")

    def _open(self, host: str, port: int) -> Any:
        server = self._server
        options: dict[str, Any] = {
            "host": host,
            "port": port,
            "db": server.database,
            "username": server.username or None,
            "password": server.password(),
            "socket_connect_timeout": _CONNECT_S,
            "socket_timeout": _ANSWER_S,
        }
        kind: Any = Connection
        if server.encrypted:
            kind = SSLConnection
            options |= {"ssl_ca_certs": server.ca or None, "ssl_check_hostname": True}
        connection = kind(**options)
        connection.connect()
        return connection


def _exchange(connection: Any, commands: Any) -> list[Any]:
    """Answers; one that is an error stands among them, so that none is left to be read for the next call's."""
    connection.send_packed_command(connection.pack_commands(commands))
    answers: list[Any] = []
    for _ in commands:
        try:
            answers.append(connection.read_response())
        except ResponseError as error:
            answers.append(error)
    return answers
