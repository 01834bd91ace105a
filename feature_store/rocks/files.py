"""Where a store's partitions lie, and what says how many they are."""

from __future__ import annotations

from pathlib import Path

import msgspec

from schemas.errors import CorruptError

STORE_FILE = "store.json"
DATABASE = "db"


class StoreInfo(msgspec.Struct, frozen=True):
    """Contents of `store.json`."""

    partitions: int
    format: int = 1


def partition_folder(folder: Path, partition: int) -> Path:
    """Where a partition of the store at `folder` lies; a checkpoint put there makes it part of a store copy."""
    return folder / f"{partition:04d}"


def read_store_info(folder: Path) -> StoreInfo | None:
    """None when there is no store at `folder` yet."""
    try:
        return msgspec.json.decode((folder / STORE_FILE).read_bytes(), type=StoreInfo)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise CorruptError(
            f"{folder / STORE_FILE} does not decode ({error}); restore it or rebuild the store"
        ) from error
