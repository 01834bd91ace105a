"""Where images may be fetched from. Product events come from outside: their URLs must not reach our own network.

The rules are those of the OWASP cheat sheet on server-side request forgery:
allow-lists, and the address checked is the address connected to.
"""

from __future__ import annotations

import ipaddress
import threading
from dataclasses import dataclass
from pathlib import Path

from schemas.access.objects import is_path
from schemas.errors import OperatorError, RejectedError
from schemas.settings import Settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class FetchPolicy:
    """What a fetch may do; hashable, so that fetches under equal policies share connections.

    `allowed_hosts`: exact names, or `*.example.com` for every name below it;
    empty: any. Their addresses must be public all the same, or lie in
    `allowed_networks` (CIDR). File URLs lie below `allowed_folders`, or below
    a folder that `allowed_folders_file` names (one a line; re-read when it changes).
    Of an object store `allowed_buckets` may be read, which by default are none.
    """

    allowed_schemes: tuple[str, ...] = ("http", "https", "file", "s3")
    allowed_hosts: tuple[str, ...] = ()
    allowed_networks: tuple[str, ...] = ()
    allowed_folders: tuple[str, ...] = ()
    allowed_folders_file: str = ""
    allowed_buckets: tuple[str, ...] = ()
    timeout_s: float = 10.0
    max_bytes: int = 20_000_000
    max_redirects: int = 3

    @classmethod
    def from_settings(cls, settings: Settings) -> FetchPolicy:
        """The catalogue's policy: `home` and imported catalogues are allowed folders."""
        return cls(
            allowed_hosts=tuple(settings.fetch_allowed_hosts),
            allowed_networks=tuple(settings.fetch_allowed_networks),
            allowed_folders=(settings.home, *settings.fetch_allowed_folders),
            allowed_folders_file=str(settings.layout.allowed_folders),
            allowed_buckets=tuple(settings.fetch_allowed_buckets),
            timeout_s=settings.fetch_timeout_s,
            max_bytes=settings.image_max_bytes,
        )


def check_host(host: str, allowed: tuple[str, ...]) -> None:
    """Raises `RejectedError('host_not_allowed', ...)` unless `host` is on the list, or the list is empty."""
    name = host.lower().rstrip(".")
    for pattern in (entry.lower().rstrip(".") for entry in allowed):
        if name == pattern or (pattern.startswith("*.") and name.endswith(pattern[1:])):
            return
    if allowed:
        raise RejectedError("host_not_allowed", f"{host} is not among the setting fetch_allowed_hosts; add it there")


def object_of(url: str, allowed: tuple[str, ...]) -> tuple[str, str]:
    """(bucket, key) of an s3 URL, whose key stands in it as it is, not percent-encoded.

    Raises `RejectedError('url_invalid', ...)`, or `bucket_not_allowed` unless `allowed` names the bucket.
    """
    bucket, _, key = url[len("s3://") :].partition("/")
    if not (bucket and key and is_path(key)):
        raise RejectedError("url_invalid", f"{url[:300]!r} names no object; write s3://bucket/key")
    if bucket not in allowed:
        raise RejectedError(
            "bucket_not_allowed", f"{bucket} is not among the setting fetch_allowed_buckets; add it there"
        )
    return bucket, key


class AddressRule:
    """Public addresses, and those of the networks that are allowed although they are private."""

    def __init__(self, networks: tuple[str, ...]) -> None:
        """Raises `OperatorError` when an entry is no network."""
        try:
            self._networks = [ipaddress.ip_network(entry, strict=False) for entry in networks]
        except ValueError as error:
            raise OperatorError(f"setting fetch_allowed_networks: {error}; write networks as 10.1.0.0/16") from error

    def allows(self, text: str) -> bool:
        """`text` is a numeric address, as `getaddrinfo` gives it."""
        address = ipaddress.ip_address(text.partition("%")[0])
        return all(self._allows(each) for each in (address, *_embedded(address)))

    def _allows(self, address: Address) -> bool:
        if any(address.version == network.version and address in network for network in self._networks):
            return True
        if isinstance(address, ipaddress.IPv6Address) and (address.ipv4_mapped is not None or address in _NAT64):
            return True  # decided by the IPv4 address in it, which is checked beside it
        return address.is_global and not address.is_multicast and not address.is_reserved


def _embedded(address: Address) -> list[Address]:
    """IPv4 addresses that an IPv6 address makes the system or a gateway connect to."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    found: list[Address] = [each for each in (address.ipv4_mapped, address.sixtofour) if each is not None]
    if address.teredo is not None:
        found.extend(address.teredo)
    if address in _NAT64:
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return found


class FolderRule:
    """The folders that file URLs may lie below, symbolic links resolved. Thread-safe."""

    def __init__(self, folders: tuple[str, ...], listing: str) -> None:
        self._fixed = [Path(folder).resolve() for folder in folders]
        self._listing = Path(listing) if listing else None
        self._listed: list[Path] = []
        self._read_at: tuple[int, int] | None = None
        self._lock = threading.Lock()

    def resolve(self, path: str) -> Path:
        """The real path. Raises `RejectedError('folder_not_allowed', ...)`, whether or not the file exists."""
        try:
            real = Path(path).resolve()
        except (OSError, RuntimeError, ValueError) as error:  # a loop of links; a NUL
            raise RejectedError("folder_not_allowed", f"{path!r} is no path: {error}") from error
        if not any(real.is_relative_to(folder) for folder in (*self._fixed, *self._imported())):
            raise RejectedError(
                "folder_not_allowed",
                f"{real} lies below no allowed folder; import the catalogue, or name it in fetch_allowed_folders",
            )
        return real

    def _imported(self) -> list[Path]:
        if self._listing is None:
            return []
        with self._lock:
            try:
                status = self._listing.stat()
                version = (status.st_mtime_ns, status.st_size)
                if version != self._read_at:
                    lines = self._listing.read_text(encoding="utf-8").splitlines()
                    self._listed = [Path(line).resolve() for line in lines if Path(line).is_absolute()]
                    self._read_at = version
            except FileNotFoundError:
                self._listed, self._read_at = [], None
            return self._listed
