"""Pictures over HTTP: within the policy, the limits and the time, from a real server that behaves well and badly."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.errors import OperatorError, TransientError
from tests.support.fetched import LOCAL, get, rejection, trouble
from tests.support.local_server import PICTURE, LocalServer, start_server
from vision.fetching.fetch import Fetcher, fetch
from vision.fetching.policy import FetchPolicy


@pytest.fixture
def server() -> Iterator[LocalServer]:
    server = start_server()
    yield server
    server.close()


def test_body_arrives_whole(server: LocalServer) -> None:
    assert get(server.url(), LOCAL) == PICTURE


def test_query_path_and_host_header_are_sent_as_written(server: LocalServer) -> None:
    get(server.url("/a%20b/c.jpg?size=2&x=%2F", host="localhost"), LOCAL)
    assert server.requests == [("/a%20b/c.jpg?size=2&x=%2F", f"localhost:{server.port}")]


def test_fetches_under_equal_policies_share_connections(server: LocalServer) -> None:
    policies = [FetchPolicy(allowed_networks=("127.0.0.0/8",), timeout_s=64.0 + server.port / 1e6) for _ in range(3)]
    assert [fetch(server.url(), policy) for policy in policies] == [PICTURE] * 3
    assert server.connections == 1


def test_connection_is_kept_for_the_next_image_of_the_host(server: LocalServer) -> None:
    fetcher = Fetcher(LOCAL)
    for number in range(5):
        fetcher.fetch(server.url(f"/{number}.jpg"))
    fetcher.close()
    assert (len(server.requests), server.connections) == (5, 1)


def test_many_threads_share_one_fetcher(server: LocalServer) -> None:
    fetcher = Fetcher(LOCAL)
    with ThreadPoolExecutor(16) as pool:
        bodies = list(pool.map(fetcher.fetch, [server.url(f"/{n}.jpg") for n in range(100)]))
    fetcher.close()
    assert bodies == [PICTURE] * 100


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f.1",
        "[::ffff:127.0.0.1]",
        "[::1]",
        "0.0.0.0",
        "10.0.0.1",
        "192.168.1.1",
        "172.16.3.4",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "[fe80::1]",
        "[fd00::1]",
        "[ff02::1]",
        "[2002:7f00:1::]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::a00:1]",
    ],
)
def test_addresses_that_are_not_public_are_refused(host: str, server: LocalServer) -> None:
    assert rejection(f"http://{host}:{server.port}/", FetchPolicy()) == "address_not_allowed"
    assert server.connections == 0


def test_allowed_network_covers_mapped_addresses_but_no_other(server: LocalServer) -> None:
    assert get(server.url(host="[::ffff:127.0.0.1]"), LOCAL) == PICTURE
    assert rejection("http://10.0.0.1/", LOCAL) == "address_not_allowed"


def test_allowed_host_does_not_make_its_private_address_allowed(server: LocalServer) -> None:
    assert rejection(server.url(host="localhost"), FetchPolicy(allowed_hosts=("localhost",))) == "address_not_allowed"


def test_name_that_resolves_anew_to_a_private_address_is_not_connected_to(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: a public answer first, loopback afterwards. Only checked answers may be used."""
    answers = [["93.184.215.14"], ["127.0.0.1"]]
    asked: list[str] = []
    connected: list[str] = []

    def resolve(host: str, port: int, *_: object, **__: object) -> list[tuple[object, ...]]:
        asked.append(host)
        addresses = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    def connect(address: tuple[str, int], *_: object, **__: object) -> socket.socket:
        connected.append(address[0])
        raise ConnectionRefusedError("nobody there")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    policy = FetchPolicy(timeout_s=60.0)
    assert trouble(f"http://shop.example:{server.port}/", policy) == "connection_failed"
    assert rejection(f"http://shop.example:{server.port}/", policy) == "address_not_allowed"
    assert connected == ["93.184.215.14"]
    assert asked == ["shop.example", "shop.example"]


def test_of_several_addresses_only_the_allowed_are_tried(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(host: str, port: int, *_: object, **__: object) -> list[tuple[object, ...]]:
        addresses = ("10.9.9.9", "127.0.0.1") if host == "mixed.example" else (host,)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert get(server.url(host="mixed.example"), LOCAL) == PICTURE


@pytest.mark.parametrize(
    ("host", "allowed"),
    [("localhost", True), ("LOCALHOST", True), ("a.localhost", True), ("b.a.localhost", True), ("127.0.0.1", False)],
)
def test_hosts_match_exactly_or_below_a_star(host: str, allowed: bool, server: LocalServer) -> None:
    policy = replace(LOCAL, allowed_hosts=("localhost", "*.localhost"))
    if allowed:
        try:
            assert get(server.url(host=host), policy) == PICTURE
        except TransientError as error:
            assert error.reason == "dns"  # names below localhost resolve on some systems only
    else:
        assert rejection(server.url(host=host), policy) == "host_not_allowed"


@pytest.mark.parametrize("host", ["example.com", "badexample.com", "example.com.evil.org"])
def test_star_covers_neither_the_domain_itself_nor_names_that_end_alike(host: str) -> None:
    assert rejection(f"http://{host}/", FetchPolicy(allowed_hosts=("*.example.com",))) == "host_not_allowed"


def test_redirect_is_followed(server: LocalServer) -> None:
    assert get(server.url("/redirect?/elsewhere.jpg"), LOCAL) == PICTURE
    assert [path for path, _ in server.requests] == ["/redirect?/elsewhere.jpg", "/elsewhere.jpg"]


def test_redirect_to_a_private_address_is_refused(server: LocalServer) -> None:
    policy = replace(LOCAL, allowed_networks=("127.0.0.1/32",))
    assert rejection(server.url("/redirect?http://127.0.0.2/secret"), policy) == "address_not_allowed"


def test_redirect_to_another_host_is_checked_against_the_list(server: LocalServer) -> None:
    policy = replace(LOCAL, allowed_hosts=("127.0.0.1",))
    assert rejection(server.url(f"/redirect?{server.url(host='localhost')}"), policy) == "host_not_allowed"


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/x", "javascript:1", "gopher://127.0.0.1/"])
def test_redirect_to_another_scheme_is_refused(location: str, server: LocalServer, tmp_path: Path) -> None:
    assert rejection(server.url(f"/redirect?{location}"), replace(LOCAL, allowed_folders=("/",))) == "url_scheme"


def test_three_redirects_are_followed_and_no_more(server: LocalServer) -> None:
    three = "/redirect?/redirect?/redirect?/picture.jpg"
    assert get(server.url(three), LOCAL) == PICTURE
    assert rejection(server.url(f"/redirect?{three}"), LOCAL) == "too_many_redirects"


def test_redirect_loop_ends(server: LocalServer) -> None:
    assert rejection(server.url("/redirect?"), LOCAL) == "too_many_redirects"


@pytest.mark.parametrize("path", ["/drip", "/drip-headers"])
def test_slow_drip_ends_with_the_total_time(path: str, server: LocalServer) -> None:
    assert trouble(server.url(path), replace(LOCAL, timeout_s=0.3)) == "fetch_timeout"


def test_server_that_never_answers_ends_with_the_total_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert trouble(f"http://127.0.0.1:{port}/", replace(LOCAL, timeout_s=0.2)) == "fetch_timeout"


def test_endless_body_ends_at_the_byte_limit(server: LocalServer) -> None:
    assert rejection(server.url("/endless")) == "image_too_large"


def test_announced_length_is_refused_before_any_byte(server: LocalServer) -> None:
    assert rejection(server.url("/announces-much")) == "image_too_large"


def test_body_of_exactly_the_limit_is_taken(server: LocalServer) -> None:
    assert get(server.url(), replace(LOCAL, max_bytes=len(PICTURE))) == PICTURE
    assert rejection(server.url(), replace(LOCAL, max_bytes=len(PICTURE) - 1)) == "image_too_large"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 204])
def test_refusing_answers_mean_that_there_is_no_image(status: int, server: LocalServer) -> None:
    assert rejection(server.url(f"/status/{status}")) == "image_missing"


@pytest.mark.parametrize(
    ("status", "reason"), [(429, "http_429"), (408, "http_408"), (500, "http_5xx"), (503, "http_5xx")]
)
def test_answers_that_may_change_are_worth_another_attempt(status: int, reason: str, server: LocalServer) -> None:
    assert trouble(server.url(f"/status/{status}")) == reason


def test_connection_that_breaks_off_is_worth_another_attempt(server: LocalServer) -> None:
    assert trouble(server.url("/hang-up")) == "connection_failed"


def test_closed_port_is_worth_another_attempt(server: LocalServer) -> None:
    server.close()
    assert trouble(server.url()) == "connection_failed"


def test_https_to_a_server_without_tls_is_worth_another_attempt(server: LocalServer) -> None:
    assert trouble(server.url().replace("http:", "https:")) == "connection_failed"


def test_unknown_name_is_worth_another_attempt() -> None:
    assert trouble("http://no-such-name.invalid/") == "dns"


@pytest.mark.parametrize("url", ["ftp://x/y", "data:image/png;base64,xx", "picture.jpg", "", "//host/x"])
def test_other_schemes_are_refused(url: str) -> None:
    assert rejection(url) == "url_scheme"


@pytest.mark.parametrize(
    "url", ["http://", "http://[::1", "http://a:99999999/", "http:///x", "http://a b/", "http://\0/"]
)
def test_urls_that_are_none_are_refused(url: str) -> None:
    assert rejection(url) == "url_invalid"


def test_scheme_outside_the_policy_is_refused(server: LocalServer) -> None:
    assert rejection(server.url(), replace(LOCAL, allowed_schemes=("https",))) == "url_scheme"


def test_network_that_is_none_is_an_operator_error() -> None:
    with pytest.raises(OperatorError, match="fetch_allowed_networks"):
        Fetcher(FetchPolicy(allowed_networks=("intranet",)))
