"""The supervisor (supervisord) that keeps every part running, and what we ask it through its Unix socket.

It runs in the foreground of a session of its own and listens nowhere but on
the socket, which only its user may open. What it is to run is told by
`cli/runtime/parts.py`; its configuration is made from there and read anew
before a part is added. See docs/adr/0021-supervised-by-supervisord.md.

A part that ends is started again: at once, or, if it lived for less than
`SETTLED_S`, after 1, 2, 3, ... seconds, and after `TRIES` such short lives in
a row not at all any more (FATAL) until `vitrine start`.
"""

from __future__ import annotations

import http.client
import os
import shlex
import socket
import time
import xmlrpc.client
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from cli.runtime.environment import child_environment
from cli.runtime.parts import STOP_S, Part, unwant, want, wanted
from cli.runtime.processes import Processes
from cli.runtime.programs import python
from schemas.errors import OperatorError, TransientError
from schemas.layout import Layout
from schemas.settings import Settings

NAME = "supervisor"
SETTLED_S = 20
TRIES = 10
UP_S = 30.0
ANSWER_S = 10.0
_LONGEST_SOCKET = 100
"""A Unix socket's path has 107 characters at most; supervisord appends its process id while it makes it."""

_ALREADY_STARTED, _NOT_RUNNING, _BAD_NAME, _SPAWN_ERROR = 60, 70, 10, 50
"""supervisord's fault codes."""


class PartState(NamedTuple):
    """What the supervisor makes of a part: STARTING, RUNNING, BACKOFF, FATAL, STOPPED, STOPPING, EXITED."""

    state: str
    since_s: float
    """Seconds since it was last started."""


class Supervisor:
    """The supervisor of one home. Starting and stopping needs `Processes.lock`; asking does not.

    `settled_s`, `tries`: see above, for the parts added from here on.
    """

    def __init__(
        self,
        settings: Settings,
        layout: Layout,
        processes: Processes,
        *,
        settled_s: int = SETTLED_S,
        tries: int = TRIES,
    ) -> None:
        self._settings = settings
        self._layout = layout
        self._processes = processes
        self._settled_s = settled_s
        self._tries = tries

    def running(self) -> bool:
        return self._processes.running(NAME) is not None

    def ensure(self) -> bool:
        """Starts the supervisor, and with it every wanted part, unless it runs and answers. False: it did.

        One that does not answer is killed: its parts live on, and the next supervisor adopts them.
        Raises `OperatorError` when it cannot be brought to answer.
        """
        if self.running():
            if self.answers():
                return False
            self._processes.stop(NAME, grace_s=0.5)
        self._layout.make()
        self._write_configuration()
        command = [python(), "-m", "supervisor.supervisord", "--nodaemon", "--configuration", str(self._file)]
        self._processes.start(NAME, command, child_environment(self._settings))
        deadline = time.monotonic() + UP_S
        while True:
            try:
                self._call("getState")
                return True
            except TransientError as error:
                if not self.running():
                    raise OperatorError(self._processes.failure(NAME, "ended at once")) from error
                if time.monotonic() > deadline:
                    raise OperatorError(self._processes.failure(NAME, f"does not answer ({error.detail})")) from error
                time.sleep(0.05)

    def answers(self) -> bool:
        """Whether it runs and answers within `ANSWER_S`."""
        try:
            self._call("getState")
        except TransientError:
            return False
        return True

    def hasten(self) -> None:
        """Has it look at its children now, which it else does once a second: once to see a death, once to mend it."""
        if self.answers():
            self.answers()

    def begin(self, parts: Sequence[Part]) -> list[str]:
        """Has those of `parts` that do not run started, and kept running; their names. Returns at once.

        Raises `OperatorError` when the supervisor does not answer; see `ensure`.
        """
        states = self._asked("getAllProcessInfo")
        under = {str(entry["name"]): str(entry["statename"]) for entry in states}
        begun = [
            part
            for part in parts
            if self._processes.running(part.name) is None and under.get(part.name) not in ("STARTING", "BACKOFF")
        ]
        for part in parts:
            if part in begun or part.name not in under:
                want(self._layout, part)
        if any(part.name not in under for part in parts):
            self._write_configuration()
            self._asked("reloadConfig")
        for part in parts:
            if part.name not in under:
                self._asked("addProcessGroup", part.name)
            elif part in begun:
                self._asked("startProcess", part.name, False, unless=(_ALREADY_STARTED, _SPAWN_ERROR))
        return [part.name for part in begun]

    def end(self, name: str) -> bool:
        """Ends a part for good: SIGTERM, SIGKILL after `STOP_S`; then what it left behind. False: it did not run."""
        unwant(self._layout, name)
        ran = self._processes.running(name) is not None
        if self.running():
            # Told first: else it would start again what ends here.
            with suppress(TransientError):
                self._call("stopProcess", name, False, unless=(_NOT_RUNNING, _BAD_NAME))
        self._processes.stop(name, grace_s=STOP_S)
        if self.running():
            self._await_end(name)
        return ran

    def _await_end(self, name: str) -> None:
        """Until the supervisor has noticed it: before, it would not start the part again when asked to."""
        deadline = time.monotonic() + ANSWER_S
        with suppress(TransientError):
            while (state := self.states().get(name)) is not None and state.state == "STOPPING":
                if time.monotonic() > deadline:
                    raise OperatorError(self._processes.failure(NAME, f"has not noticed the end of {name}"))
                time.sleep(0.02)

    def shut_down(self) -> bool:
        """Ends the supervisor, and with it every part that is still there. False: it did not run."""
        return self._processes.stop(NAME, grace_s=2 * STOP_S)

    def states(self) -> dict[str, PartState]:
        """Every part that the supervisor has. Raises `TransientError` when it does not answer."""
        now = time.time()
        return {
            str(entry["name"]): PartState(str(entry["statename"]), max(0.0, now - float(entry["start"])))
            for entry in self._call("getAllProcessInfo")
        }

    def given_up(self, names: Iterable[str]) -> str | None:
        """The first of `names` that is not started any more."""
        try:
            states = self.states()
        except TransientError:
            return None
        return next((name for name in names if name in states and states[name].state == "FATAL"), None)

    @property
    def _file(self) -> Any:
        return self._layout.run / "supervisord.conf"

    @property
    def _socket(self) -> str:
        """The socket's path; where it is too long, by way of supervisord's folder, which is the home."""
        path = str(self._layout.run / "supervisor.sock")
        return path if len(path) <= _LONGEST_SOCKET else "/proc/self/cwd/run/supervisor.sock"

    def _write_configuration(self) -> None:
        layout, name = self._layout, "supervisord"
        umask = os.umask(0o022)
        os.umask(umask)
        text = f"""\
[unix_http_server]
file={_escaped(self._socket)}
chmod=0700

[supervisord]
identifier=vitrine
nodaemon=true
umask={umask:03o}
logfile=/dev/null
logfile_maxbytes=0
loglevel=info
pidfile={_escaped(str(layout.run / name))}.pid
childlogdir={_escaped(str(layout.logs))}
nocleanup=true

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""
        if os.getuid() == 0:
            # Else it warns of running as root, which it was asked to.
            text = text.replace("nodaemon=true\n", "nodaemon=true\nuser=root\n")
        for part in wanted(layout):
            text += f"""
[program:{part}]
command={_escaped(shlex.join([python(), "-m", "cli.runtime.launch", part]))}
autostart=true
autorestart=true
startsecs={self._settled_s}
startretries={self._tries}
stopwaitsecs={STOP_S}
killasgroup=true
stdout_logfile=NONE
stderr_logfile=NONE
"""
        temporary = self._file.with_suffix(".tmp")
        temporary.write_text(text)
        temporary.rename(self._file)

    def _asked(self, method: str, *arguments: Any, unless: tuple[int, ...] = ()) -> Any:
        try:
            return self._call(method, *arguments, unless=unless)
        except TransientError as error:
            raise OperatorError(f"{error.detail}; vitrine start mends it") from error

    def _call(self, method: str, *arguments: Any, unless: tuple[int, ...] = ()) -> Any:
        """One call; a fault of the codes `unless` is none. Raises `TransientError('supervisor_unreachable', ...)`."""
        with xmlrpc.client.ServerProxy("http://supervisor", transport=_UnixTransport(self._layout)) as server:
            try:
                return getattr(server.supervisor, method)(*arguments)
            except xmlrpc.client.Fault as fault:
                if fault.faultCode in unless:
                    return None
                raise OperatorError(f"the supervisor refused {method}{arguments}: {fault.faultString}") from fault
            except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
                raise TransientError("supervisor_unreachable", f"the supervisor does not answer ({error})") from error


class _UnixTransport(xmlrpc.client.Transport):
    """XML-RPC over the Unix socket of a home, however long the home's path is."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self._layout = layout

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        return _UnixConnection(self._layout)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, layout: Layout) -> None:
        super().__init__("localhost", timeout=ANSWER_S)
        self._layout = layout

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        folder = os.open(self._layout.run, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self.sock.connect(f"/proc/self/fd/{folder}/supervisor.sock")
        finally:
            os.close(folder)


def _escaped(text: str) -> str:
    """For supervisord, which expands `%(name)s`."""
    return text.replace("%", "%%")
