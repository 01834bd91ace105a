"""Fetches image files from http(s), file and s3 URLs, under a policy and within limits.

Knows no proxy and keeps no cookies; credentials in a URL are not sent. Every
redirect is checked like the first URL.
"""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
import stat
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import lru_cache
from urllib.request import url2pathname

import httpcore
import httpx

from objects.client import s3_client
from objects.signed import signed_url
from schemas.errors import RejectedError, TransientError
from vision.fetching.network import CheckedBackend, Turn, deadline, remaining_s
from vision.fetching.policy import AddressRule, FetchPolicy, FolderRule, check_host, object_of
from vision.fetching.resolver import Resolver

CONNECTIONS = 64
_HEADERS = [("User-Agent", "vitrine/0.1"), ("Accept", "image/*,*/*;q=0.1"), ("Accept-Encoding", "identity")]
_HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}")
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_ANYWHERE = ("0.0.0.0/0", "::/0")
_TRY_AGAIN = frozenset((408, 425, 429))


def fetch(url: str, policy: FetchPolicy) -> bytes:
    """The file behind `url`, at most `policy.max_bytes` long, within `policy.timeout_s` in all.

    Thread-safe; equal policies share kept-alive connections. Raises
    `RejectedError` (`url_invalid`, `url_scheme`, `host_not_allowed`,
    `address_not_allowed`, `folder_not_allowed`, `bucket_not_allowed`,
    `too_many_redirects`, `image_missing`, `image_too_large`) or `TransientError` (`fetch_timeout`, `http_429`,
    `http_5xx`, `connection_failed`, `dns`, `file_unreadable`, `objects_refused`).
    """
    return _fetcher(policy).fetch(url)


class Fetcher:
    """Fetches under one policy. Any number of threads may call `fetch`."""

    def __init__(self, policy: FetchPolicy, connections: int = CONNECTIONS) -> None:
        """`connections`: at most at once; further fetches wait for one. At least as many as threads that fetch, or
        hosts that hang hold others up.

        Raises `OperatorError` when the policy's networks are none, and for buckets without boto3.
        """
        if policy.allowed_buckets:
            s3_client()
        self._policy = policy
        self._connections = connections
        self._resolver = Resolver()
        self._folders = FolderRule(policy.allowed_folders, policy.allowed_folders_file)
        self._pool = self._connecting(AddressRule(policy.allowed_networks))
        self._store_pool = self._connecting(AddressRule(_ANYWHERE))  # no event says where the object store is

    def _connecting(self, rule: AddressRule) -> httpcore.ConnectionPool:
        return httpcore.ConnectionPool(
            ssl_context=_tls(),
            max_connections=self._connections,
            # httpcore counts those that are in use as well: fewer, and hosts that hang cost the others' kept ones.
            max_keepalive_connections=self._connections,
            keepalive_expiry=15.0,
            network_backend=CheckedBackend(rule, self._resolver),
        )

    def locate(self, url: str, then: Callable[[str], None]) -> None:
        """Calls `then` with the first address of the URL's host (IPv6: its network), now or from another thread.

        With an empty text where there is none: `fetch` then says why. Limits for a server go by this text.
        """
        try:
            target: httpx.URL | None = self._checked(url)
        except RejectedError:
            target = None
        if target is None or target.scheme in ("file", "s3"):
            then("")
        else:
            host = target.raw_host.decode("ascii")
            self._resolver.ask(host, lambda answer: then(_server(answer[0]) if isinstance(answer, list) else ""))

    def fetch(self, url: str, turn: Turn | None = None) -> bytes:
        """As `vision.fetching.fetch.fetch`; `turn` may end it earlier, by what it raises."""
        target = self._checked(url)
        if target.scheme == "file":
            data = self._read_file(target)
            if turn is not None:
                turn.grow(len(data))
            return data
        try:
            with deadline(self._policy.timeout_s, turn):
                if target.scheme == "s3":
                    return self._read_object(url, turn)
                for _ in range(self._policy.max_redirects + 1):
                    answer = self._get_patiently(target, turn)
                    if isinstance(answer, bytes):
                        return answer
                    target = answer
        except httpcore.TimeoutException as error:
            raise TransientError("fetch_timeout", f"{url}: not done within {self._policy.timeout_s} s") from error
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError) as error:
            raise TransientError("connection_failed", f"{url}: {type(error).__name__} {error}") from error
        raise RejectedError("too_many_redirects", f"{url}: more than {self._policy.max_redirects}; use the last URL")

    def close(self) -> None:
        """Closes the kept-alive connections."""
        self._pool.close()
        self._store_pool.close()

    def _checked(self, url: str) -> httpx.URL:
        try:
            target = httpx.URL(url)
        except (httpx.InvalidURL, UnicodeError, ValueError) as error:
            raise RejectedError("url_invalid", f"{url[:300]!r}: {error}") from error
        self._check(target)
        return target

    def _check(self, target: httpx.URL) -> None:
        if target.scheme not in self._policy.allowed_schemes:
            allowed = ", ".join(self._policy.allowed_schemes)
            raise RejectedError("url_scheme", f"{str(target)[:300]!r}: the scheme must be one of {allowed}")
        if target.scheme == "file":
            if target.host not in ("", "localhost"):
                raise RejectedError("host_not_allowed", f"file URL names the host {target.host}; write file:///path")
        elif target.scheme != "s3":
            host = target.raw_host.decode("ascii")
            if not _HOST.fullmatch(host) or not 0 < (target.port or 80) < 65536:
                raise RejectedError("url_invalid", f"{str(target)[:300]!r} names no host, or no port of one")
            check_host(host, self._policy.allowed_hosts)

    def _read_object(self, url: str, turn: Turn | None) -> bytes:
        """By a signed address, which is never told, and without a redirect."""
        bucket, key = object_of(url, self._policy.allowed_buckets)
        place = httpx.URL(signed_url(bucket, key))
        with self._answer(self._store_pool, place) as response:
            if response.status in (*_REDIRECTS, 401, 403):
                hint = "may these credentials (AWS_ACCESS_KEY_ID) read it, in this region (AWS_DEFAULT_REGION)?"
                raise TransientError("objects_refused", f"{url}: the store answers {response.status}; {hint}")
            _check_status(url, response.status)
            return self._body(url, response, turn)

    def _get_patiently(self, target: httpx.URL, turn: Turn | None) -> bytes | httpx.URL:
        """Again where no connection came about within the patience with it, while there is time."""
        while True:
            try:
                return self._get(target, turn)
            except httpcore.ConnectTimeout:
                remaining_s()

    def _get(self, target: httpx.URL, turn: Turn | None) -> bytes | httpx.URL:
        """The body, or where the answer redirects to."""
        with self._answer(self._pool, target) as response:
            if response.status in _REDIRECTS:
                return self._redirected(target, response)
            _check_status(str(target), response.status)
            return self._body(str(target), response, turn)

    def _answer(self, pool: httpcore.ConnectionPool, target: httpx.URL) -> AbstractContextManager[httpcore.Response]:
        address = httpcore.URL(scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path)
        extensions = {"timeout": {"pool": remaining_s()}}  # the backend bounds everything else
        return pool.stream("GET", address, headers=[*_HEADERS, _host(target)], extensions=extensions)

    def _redirected(self, target: httpx.URL, response: httpcore.Response) -> httpx.URL:
        location = _header(response, b"location")
        try:
            following = target.join(location.decode("utf-8"))
        except (httpx.InvalidURL, UnicodeError, ValueError) as error:
            raise RejectedError("url_invalid", f"{target} redirects to {location[:300]!r}: {error}") from error
        if following.scheme not in ("http", "https"):
            raise RejectedError("url_scheme", f"{target} redirects to a {following.scheme} URL")
        self._check(following)
        return following

    def _body(self, target: str, response: httpcore.Response, turn: Turn | None) -> bytes:
        declared = _header(response, b"content-length")
        if declared.isdigit() and int(declared) > self._policy.max_bytes:
            raise self._too_large(f"{target} announces {int(declared)} bytes")
        body = bytearray()
        for part in response.iter_stream():
            if len(body) + len(part) > self._policy.max_bytes:
                raise self._too_large(f"{target} sends more")
            if turn is not None:
                turn.grow(len(part))
            body += part
            remaining_s()
        return bytes(body)

    def _read_file(self, target: httpx.URL) -> bytes:
        path = self._folders.resolve(url2pathname(target.raw_path.decode("ascii").partition("?")[0]))
        try:
            # Not following a link that took the resolved file's place, nor waiting for a pipe's writer.
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as stream:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise RejectedError("image_missing", f"{path} is no regular file")
                data = stream.read(self._policy.max_bytes + 1)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise RejectedError("image_missing", f"{path}: {error.strerror}") from error
        except OSError as error:
            raise TransientError("file_unreadable", f"{path}: {error.strerror}") from error
        if len(data) > self._policy.max_bytes:
            raise self._too_large(f"{path} is larger")
        return data

    def _too_large(self, found: str) -> RejectedError:
        return RejectedError("image_too_large", f"{found}; at most {self._policy.max_bytes} bytes are taken")


_fetcher: Callable[[FetchPolicy], Fetcher] = lru_cache(maxsize=16)(Fetcher)


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()


def _server(address: str) -> str:
    """Who has one address of an IPv6 network has 2^64 of them."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))


def _host(target: httpx.URL) -> tuple[str, str]:
    return "Host", target.netloc.decode("ascii")


def _header(response: httpcore.Response, name: bytes) -> bytes:
    return next((value for key, value in response.headers if key.lower() == name), b"")


def _check_status(target: str, status: int) -> None:
    if status == 200:
        return
    if status in _TRY_AGAIN:
        raise TransientError(f"http_{status}", f"{target} answers {status}")
    if status >= 500:
        raise TransientError("http_5xx", f"{target} answers {status}")
    raise RejectedError("image_missing", f"{target} answers {status}")
