"""What the catalogue says that a shard must come to: counted from its records while the shard is filled.

The builder is given the same wording and knows nothing of this count: its
numbers come from the files that it wrote. That no product was left to no
shard at all shows in the units' counts together.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from disk.durable import write_durably
from indexing.rows.digest import add_digest, digest_bytes
from jobs.full_index.truth.audit import worded_digest
from schemas.deltas.delta import DeltaBatch
from schemas.errors import CorruptError


class CatalogueCount(msgspec.Struct, kw_only=True):
    """`products_seen`: of the whole catalogue; `products`: the shard's own. `valid_images`: of these, on sale.

    `digest`: the sum of the valid images' digests, in hex.
    """

    products_seen: int = 0
    products: int = 0
    valid_images: int = 0
    digest: str = digest_bytes(0).hex()

    def add(self, products: int, batch: DeltaBatch) -> None:
        """So many products of the shard more, worded in `batch`."""
        self.products += products
        total = int.from_bytes(bytes.fromhex(self.digest), "little")
        for row, valid in enumerate(batch.valid):
            if valid:
                self.valid_images += 1
                total = add_digest(total, worded_digest(batch, row))
        self.digest = digest_bytes(total).hex()


def refuse_lost_products(counts: Sequence[CatalogueCount]) -> None:
    """Raises `CorruptError` unless all shards saw the same catalogue and each product of it belongs to one of them."""
    seen = [count.products_seen for count in counts]
    own = sum(count.products for count in counts)
    if any(products != own for products in seen):
        raise CorruptError(
            f"the shards took {own} products, but found {seen} in the catalogue: its copy does not read the same "
            "every time; take the checkpoints again and run the build anew, and report it if that does not help"
        )


def write_count(file: Path, count: CatalogueCount) -> None:
    """Keeps the count for a unit that is run again; replaces what an earlier run left."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_durably(file, msgspec.json.encode(count))


def read_count(file: Path) -> CatalogueCount:
    """Raises `FileNotFoundError` where no unit came so far."""
    return msgspec.json.decode(file.read_bytes(), type=CatalogueCount)
