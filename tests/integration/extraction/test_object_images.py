"""Images out of an object store, behind the limits of all others: which may be read, how large, how long."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace

import pytest
from PIL import Image

from objects.client import s3_client
from objects.place import Objects
from schemas.access.objects import ObjectPlace
from schemas.errors import RejectedError, TransientError
from tests.support.local_server import LocalServer, start_server
from tests.support.objects.server import ObjectStore
from vision.fetching.fetch import Fetcher
from vision.fetching.policy import FetchPolicy

POLICY = FetchPolicy(allowed_buckets=("pictures",), timeout_s=60.0, max_bytes=100_000)


def jpeg() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (32, 32), (200, 30, 30)).save(data, "JPEG")
    return data.getvalue()


@pytest.fixture
def pictures(object_store: ObjectStore) -> Objects:
    return Objects(ObjectPlace(object_store.bucket("pictures")))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, object_store: ObjectStore) -> Iterator[LocalServer]:
    """In the store's place one that behaves badly."""
    server = start_server()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.port}")
    s3_client.cache_clear()
    yield server
    monkeypatch.undo()
    s3_client.cache_clear()
    server.close()


def get(url: str, policy: FetchPolicy = POLICY) -> bytes:
    fetcher = Fetcher(policy)
    try:
        return fetcher.fetch(url)
    finally:
        fetcher.close()


def refused(url: str, policy: FetchPolicy = POLICY) -> str:
    with pytest.raises((RejectedError, TransientError)) as caught:
        get(url, policy)
    assert "X-Amz" not in str(caught.value)
    return f"{type(caught.value).__name__} {caught.value.reason}"


@pytest.mark.parametrize("key", ["a.jpg", "summer/red dress.jpg", "grün/50%25 #1?.jpg"])
def test_image_is_read_by_its_key_as_it_is_written(pictures: Objects, key: str) -> None:
    pictures.write(key, jpeg())
    assert get(f"s3://pictures/{key}") == jpeg()


def test_no_bucket_is_open_that_is_not_named(pictures: Objects) -> None:
    pictures.write("a.jpg", jpeg())
    assert refused("s3://pictures/a.jpg", FetchPolicy()) == "RejectedError bucket_not_allowed"
    assert refused("s3://others/a.jpg") == "RejectedError bucket_not_allowed"


@pytest.mark.parametrize("url", ["s3://pictures", "s3://pictures/", "s3://pictures/a/../b.jpg", "s3:///a.jpg"])
def test_url_that_names_no_object_is_refused(object_store: ObjectStore, url: str) -> None:
    assert refused(url) == "RejectedError url_invalid"


def test_object_that_is_missing_or_too_large_is_refused(pictures: Objects) -> None:
    pictures.write("large.jpg", bytes(POLICY.max_bytes + 1))
    assert refused("s3://pictures/large.jpg") == "RejectedError image_too_large"
    assert refused("s3://pictures/missing.jpg") == "RejectedError image_missing"


def test_wrong_credentials_may_pass(pictures: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures.write("a.jpg", jpeg())
    with monkeypatch.context() as wrong:
        wrong.setenv("AWS_SECRET_ACCESS_KEY", "another")
        s3_client.cache_clear()
        assert refused("s3://pictures/a.jpg") == "TransientError objects_refused"
    s3_client.cache_clear()


@pytest.mark.parametrize(
    ("bucket", "reason"),
    [
        ("drip", "TransientError fetch_timeout"),
        ("endless", "RejectedError image_too_large"),
        ("hang-up", "TransientError connection_failed"),
        ("redirect", "TransientError objects_refused"),
    ],
)
def test_store_that_behaves_badly_holds_nobody_up(server: LocalServer, bucket: str, reason: str) -> None:
    policy = replace(POLICY, allowed_buckets=(bucket,), timeout_s=1.0 if bucket == "drip" else 60.0)
    assert refused(f"s3://{bucket}/a.jpg", policy) == reason
