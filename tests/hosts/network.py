"""A network of hosts on one machine: Linux network namespaces that are connected by a bridge (ip-netns(8)).

Each has a name (UTS namespace), knows the others' and may have a disk of its own (mount namespace); process ids are
those of the machine. The test itself is outside, at the bridge, where a shop's back end and its shoppers are.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

IP = shutil.which("ip")
_BECOME = (
    'hostname "$0" && mount --bind "$1" /etc/hosts && '
    'if [ -n "$2" ]; then mount --bind "$2" "$3"; fi && shift 3 && exec "$@"'
)


def why_not() -> str:
    """Why there can be no hosts here; empty where there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if IP is None:
        return "no ip(8) on this machine"
    name = f"vt-try-{os.getpid()}"
    made = subprocess.run([IP, "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        return f"no network namespaces can be made here: {made.stderr.strip()}"
    _ip("netns", "del", name)
    return ""


class Network:
    """`with Network("one", "two") as network`: each name is a host with an address of its own."""

    def __init__(self, *names: str) -> None:
        self._id = os.getpid() % 100_000
        self._bridge = f"vtb{self._id}"
        self._subnet = f"10.{random.Random(os.getpid()).randrange(128, 255)}.{self._id % 250}"
        self._numbers = {name: number for number, name in enumerate(names, 10)}
        self._hosts = Path(tempfile.gettempdir()) / f"hosts-{os.getpid()}"

    def __enter__(self) -> Network:
        known = "".join(f"{self.address(name)} {name}\n" for name in self._numbers)
        self._hosts.write_text(f"127.0.0.1 localhost\n{known}")
        try:
            _ip("link", "add", self._bridge, "type", "bridge")
            _ip("addr", "add", f"{self._subnet}.1/24", "dev", self._bridge)
            _ip("link", "set", self._bridge, "up")
            for name in self._numbers:
                self._add(name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in self._numbers:
            _ip("netns", "del", self._namespace(name), check=False)
        _ip("link", "del", self._bridge, check=False)
        self._hosts.unlink(missing_ok=True)

    def address(self, name: str) -> str:
        return f"{self._subnet}.{self._numbers[name]}"

    def within(self, name: str, disk: tuple[Path, Path] | None = None) -> Sequence[str]:
        """The beginning of a command that runs another on that host, under the host's own name.

        `disk`: a folder, and the one in whose place that host's processes see it.
        """
        assert IP is not None
        inside = (IP, "netns", "exec", self._namespace(name))
        become = ("unshare", "--uts", "--mount", "sh", "-c", _BECOME, name, str(self._hosts))
        return (*inside, *become, *map(str, disk or ("", "")))

    def listening(self, name: str) -> set[int]:
        """TCP ports on which somebody on that host answers others than itself."""
        assert IP is not None
        inside = [IP, "netns", "exec", self._namespace(name), "ss", "--listening", "--tcp", "--numeric", "--no-header"]
        lines = subprocess.run(inside, capture_output=True, text=True, check=True).stdout.splitlines()
        found = (line.split()[3].rpartition(":") for line in lines)
        return {int(port) for address, _, port in found if not address.startswith(("127.", "[::1]", "[::ffff:127."))}

    def cut(self, name: str) -> None:
        """The host's link is down: nothing comes in or out, and nobody is told."""
        _ip("link", "set", self._link(name), "down")

    def mend(self, name: str) -> None:
        _ip("link", "set", self._link(name), "up")

    def _add(self, name: str) -> None:
        namespace, link, inside = self._namespace(name), self._link(name), f"vi{self._numbers[name]}{self._id}"
        _ip("netns", "add", namespace)
        _ip("link", "add", link, "type", "veth", "peer", "name", inside)
        _ip("link", "set", inside, "netns", namespace)
        _ip("link", "set", link, "master", self._bridge)
        _ip("link", "set", link, "up")
        _ip("-n", namespace, "addr", "add", f"{self.address(name)}/24", "dev", inside)
        _ip("-n", namespace, "link", "set", inside, "up")
        _ip("-n", namespace, "link", "set", "lo", "up")

    def _namespace(self, name: str) -> str:
        return f"vt-{self._id}-{name}"

    def _link(self, name: str) -> str:
        return f"vh{self._numbers[name]}{self._id}"


def _ip(*arguments: str, check: bool = True) -> None:
    assert IP is not None
    done = subprocess.run([IP, *arguments], capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise RuntimeError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
