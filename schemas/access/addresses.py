"""Where brokers and searchers are that have addresses of their own: names, or a file that is followed.

`VITRINE_BROKER_ADDRESS=broker-0:7100,broker-1:7100` names the brokers. `VITRINE_SEARCHER_ADDRESS=searcher-{shard}-
{replica}.search:7101` names searchers one by one, as DNS does for the pods of a StatefulSet; names are looked up again
whenever a connection is made anew. A path that ends in .json names a file: a list for each shard of the addresses of
its replicas, `[["10.0.0.4:7101", "10.0.0.5:7101"], ["10.0.0.6:7101"]]`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from schemas.errors import OperatorError

_ADDRESS = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[\w.-]+):(\d{1,5})", re.ASCII)
_FIELDS = re.compile(r"\{(shard|replica|port)\}")


def brokers_of(addresses: str) -> tuple[str, ...]:
    """Each of those that the setting names."""
    return tuple(address for part in addresses.split(",") if (address := part.strip()))


def check_brokers(addresses: str) -> None:
    """Raises `OperatorError` for what is not host:port."""
    if wrong := [address for address in brokers_of(addresses) if not _is_address(address)]:
        raise OperatorError(f"setting broker_address: {wrong[0]!r} is no host:port; write it like broker.example:7100")


def is_file(searchers: str) -> bool:
    """Whether the setting names a file and no pattern."""
    return searchers.endswith(".json")


def check_searchers(searchers: str, replicas: int) -> None:
    """Raises `OperatorError` for a pattern by which searchers cannot be told apart, or that gives no address."""
    if not searchers or is_file(searchers):
        return
    if not _is_address(example := address_of(searchers, 0, 0, 7101)):
        raise OperatorError(
            f"setting searcher_address: {example!r} is no host:port; write it like "
            "searcher-{shard}-{replica}.example:{port}, or name a .json file with a list of addresses for each shard"
        )
    wanted = ("{shard}", "{replica}") if replicas > 1 else ("{shard}",)
    if "{port}" not in searchers and not all(each in searchers for each in wanted):
        raise OperatorError(
            f"setting searcher_address: {searchers!r} is one address for several searchers: "
            f"put {' and '.join(wanted)} into it, or {{port}}"
        )


def address_of(searchers: str, shard: int, replica: int, port: int) -> str:
    """By the pattern. `port`: of this searcher where all run on one machine."""
    values = {"shard": shard, "replica": replica, "port": port}
    return _FIELDS.sub(lambda found: str(values[found[1]]), searchers)


def read_addresses(file: Path) -> list[list[str]]:
    """By shard. Raises `OperatorError` for a file that is not there or is none of these."""
    try:
        listed = msgspec.json.decode(file.read_bytes(), type=list[list[str]])
    except OSError as error:
        raise OperatorError(f"setting searcher_address: {file} cannot be read ({error.strerror})") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise OperatorError(
            f"setting searcher_address: {file} is no JSON list of lists of addresses: {error}"
        ) from error
    _check(file, [address for shard in listed for address in shard])
    return listed


def _check(file: Path, addresses: Sequence[str]) -> None:
    if wrong := [address for address in addresses if not _is_address(address)]:
        raise OperatorError(f"setting searcher_address: {file} names {wrong[0]!r}, which is no host:port")
    if twice := {address for address in addresses if addresses.count(address) > 1}:
        raise OperatorError(f"setting searcher_address: {file} names {min(twice)} twice; a searcher holds one shard")


def _is_address(text: str) -> bool:
    found = _ADDRESS.fullmatch(text)
    return found is not None and 0 < int(found[1]) < 65536
