"""Pictures in files: below the folders that are allowed, and nowhere else."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.errors import RejectedError
from schemas.settings import load_settings
from tests.support.fetched import get, rejection
from tests.support.local_server import PICTURE
from vision.fetching.fetch import Fetcher
from vision.fetching.policy import FetchPolicy


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "a b ü%.jpg").write_bytes(PICTURE)
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    return folder


def below(folder: Path) -> FetchPolicy:
    return FetchPolicy(allowed_folders=(str(folder),), max_bytes=1_000_000)


def test_file_below_an_allowed_folder_is_read(shop: Path) -> None:
    assert get((shop / "a b ü%.jpg").as_uri(), below(shop)) == PICTURE
    assert get((shop / "a b ü%.jpg").as_uri().replace("file:///", "file://localhost/"), below(shop)) == PICTURE


def test_file_outside_is_refused_whether_or_not_it_exists(shop: Path) -> None:
    for name in ("secret.jpg", "nothing-there.jpg", "shop2/x.jpg"):
        assert rejection((shop.parent / name).as_uri(), below(shop)) == "folder_not_allowed"


@pytest.mark.parametrize("path", ["../secret.jpg", "%2e%2e/secret.jpg", "x/../../secret.jpg", "..%2fsecret.jpg"])
def test_dots_do_not_lead_out_of_the_folder(path: str, shop: Path) -> None:
    assert rejection(f"{shop.as_uri()}/{path}", below(shop)) == "folder_not_allowed"


def test_symbolic_link_does_not_lead_out_of_the_folder(shop: Path) -> None:
    (shop / "link.jpg").symlink_to(shop.parent / "secret.jpg")
    (shop / "up").symlink_to(shop.parent)
    assert rejection((shop / "link.jpg").as_uri(), below(shop)) == "folder_not_allowed"
    assert rejection(f"{shop.as_uri()}/up/secret.jpg", below(shop)) == "folder_not_allowed"


def test_symbolic_link_within_the_folder_is_followed(shop: Path) -> None:
    (shop / "link.jpg").symlink_to(shop / "a b ü%.jpg")
    assert get((shop / "link.jpg").as_uri(), below(shop)) == PICTURE


def test_loop_of_links_is_refused(shop: Path) -> None:
    (shop / "loop").symlink_to(shop / "loop")
    assert rejection((shop / "loop").as_uri(), below(shop)) in {"folder_not_allowed", "image_missing"}


def test_file_url_with_a_host_or_a_nul_is_refused(shop: Path) -> None:
    assert rejection("file://server/share/a.jpg", below(shop)) == "host_not_allowed"
    assert rejection(f"{shop.as_uri()}/a%00.jpg", below(shop)) == "folder_not_allowed"


def test_missing_file_and_folder_mean_that_there_is_no_image(shop: Path) -> None:
    assert rejection((shop / "missing.jpg").as_uri(), below(shop)) == "image_missing"
    assert rejection(shop.as_uri(), below(shop)) == "image_missing"


def test_pipe_does_not_hold_the_thread(shop: Path) -> None:
    os.mkfifo(shop / "pipe.jpg")
    assert rejection((shop / "pipe.jpg").as_uri(), below(shop)) == "image_missing"


def test_file_is_limited_in_bytes(shop: Path) -> None:
    policy = replace(below(shop), max_bytes=len(PICTURE) - 1)
    assert rejection((shop / "a b ü%.jpg").as_uri(), policy) == "image_too_large"


def test_folder_imported_later_is_allowed_from_then_on(shop: Path, tmp_path: Path) -> None:
    listing = tmp_path / "allowed-folders.txt"
    fetcher = Fetcher(FetchPolicy(allowed_folders_file=str(listing)))
    url = (shop / "a b ü%.jpg").as_uri()
    with pytest.raises(RejectedError, match="folder_not_allowed"):
        fetcher.fetch(url)
    listing.write_text("/somewhere/else\n")
    with pytest.raises(RejectedError, match="folder_not_allowed"):
        fetcher.fetch(url)
    listing.write_text(f"/somewhere/else\n\nrelative\n{shop}\n")
    assert fetcher.fetch(url) == PICTURE
    listing.unlink()
    with pytest.raises(RejectedError, match="folder_not_allowed"):
        fetcher.fetch(url)


def test_policy_of_the_settings_allows_home_and_imported_catalogues(tmp_path: Path, shop: Path) -> None:
    settings = load_settings({"VITRINE_HOME": str(tmp_path / "home"), "VITRINE_FETCH_ALLOWED_HOSTS": "a.example"})
    policy = FetchPolicy.from_settings(settings)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "own.jpg").write_bytes(b"own")
    assert get((tmp_path / "home" / "own.jpg").as_uri(), policy) == b"own"
    assert rejection((shop / "a b ü%.jpg").as_uri(), policy) == "folder_not_allowed"
    settings.layout.allowed_folders.write_text(f"{shop}\n")
    assert get((shop / "a b ü%.jpg").as_uri(), policy) == PICTURE
    assert rejection("http://b.example/", policy) == "host_not_allowed"
