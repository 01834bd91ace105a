"""What an index of a given size will need: memory, disk, machines, and the recall to expect.

The same arithmetic that the builder and the shard follow, so that a plan and
a built shard can be compared (`tests/integration/training/test_plan.py` does, to
within 10 %).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec

from indexing.build.builder import MEASURED_QUERIES
from indexing.lists.codec import code_bytes
from indexing.lists.kinds import EXACT_BELOW, IndexKind, default_kind
from indexing.lists.view import segment_rows
from indexing.rows.forward import ROW_SIZE
from indexing.rows.row_map import LOADED_IMAGE_BYTES
from indexing.training.probes import RECALL_AT
from indexing.training.train import default_nlist
from schemas.errors import OperatorError

_CHUNK_ROWS = 1 << 14
"""Records that the forward index allocates at a time."""
_ID_BYTES = 8
_LOCATION_BYTES = 8
_BYTES_PER_LIST = 800
"""A list's arrays, views and tuples in Python, measured."""
_LAYOUT_BYTES_PER_LIST = 12
_LOADING_BYTES = 80
"""An image's share, measured, of what is there only while a shard is loaded: ids that are being sorted."""
_LOADING_BUFFERS = 8 << 20
_SMALL_FILES_BYTES = 2_000
_USABLE_MEMORY = 0.8
"""Part of a machine's memory that shards may fill; the rest is the system's, Python's and the page cache's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """What is asked for.

    images: valid images of all shards, each with its vector. kind None: from
    the images of a shard. text_bytes: an image's product id and URL, and its
    part of the attributes (JSON), which the images of a product share. machine_bytes: memory of one machine. The rest:
    see `indexing.build.builder.BuildSettings`.
    """

    images: int
    dimension: int
    shards: int = 1
    replicas: int = 1
    kind: IndexKind | None = None
    nlist: int | None = None
    recall: float = 0.99
    headroom: float = 0.25
    text_bytes: int = 250
    machine_bytes: int = 16 << 30


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes unless the name says otherwise; of one shard and replica unless it says `total`.

    vectors_bytes: in memory, or of a coded kind on disk alone, where searches
    want them in the page cache; codes_bytes: in memory and on disk.
    swap_bytes: while a generation is loaded beside the one that serves.
    build_disk_bytes: at the widest moment of a build, spools included.
    disk_bytes: of a finished generation. machines 0: no machine holds a shard;
    `least_shards` would fit.
    """

    kind: IndexKind
    images: int
    lists: int
    vectors_bytes: int
    codes_bytes: int
    rows_bytes: int
    texts_bytes: int
    lookup_bytes: int
    memory_bytes: int
    swap_bytes: int
    disk_bytes: int
    build_disk_bytes: int
    total_memory_bytes: int
    total_disk_bytes: int
    machines: int
    least_shards: int
    recall: float
    explanation: str


def make_plan(request: PlanRequest) -> Plan:
    """The plan for a request. Raises `OperatorError` for numbers that make no index."""
    for name in ("images", "dimension", "shards", "replicas", "text_bytes", "machine_bytes"):
        if getattr(request, name) < (0 if name == "text_bytes" else 1):
            raise OperatorError(f"{name} {getattr(request, name)}: give a positive number")
    images = math.ceil(request.images / request.shards)
    kind = default_kind(images, request.dimension) if request.kind is None else request.kind
    entry = 4 * request.dimension + _ID_BYTES
    if kind is IndexKind.EXACT:
        lists = math.ceil(images / segment_rows(request.dimension))
        centroids_bytes = 0
        entries = images + lists
    else:
        lists = min(default_nlist(images, kind), images) if request.nlist is None else request.nlist
        if not 1 <= lists <= images:
            raise OperatorError(f"{lists} lists for {images} images a shard: every list needs a vector; lower nlist")
        centroids_bytes = 4 * request.dimension * lists
        entries = math.ceil(images * (1 + request.headroom)) + lists
    vectors_bytes = entries * entry
    code = code_bytes(kind, request.dimension) if kind.coded else 0
    codes_bytes = entries * (code + _ID_BYTES) if kind.coded else 0
    rows_bytes = math.ceil(images / _CHUNK_ROWS) * _CHUNK_ROWS * ROW_SIZE
    texts_bytes = images * request.text_bytes
    # Centroids lie there twice: as an array for snapshots and training, and in faiss's quantizer.
    lookup_bytes = (
        images * (LOADED_IMAGE_BYTES + _LOCATION_BYTES) + images // 8 + 2 * centroids_bytes + lists * _BYTES_PER_LIST
    )
    if kind.coded:
        lookup_bytes += images * _LOCATION_BYTES + centroids_bytes + lists * _BYTES_PER_LIST
    held_bytes = codes_bytes + (0 if kind.mapped else vectors_bytes)
    memory_bytes = held_bytes + rows_bytes + texts_bytes + lookup_bytes
    disk_bytes = (
        vectors_bytes
        + codes_bytes
        + images * ROW_SIZE
        + texts_bytes
        + images // 8
        + centroids_bytes
        + lists * _LAYOUT_BYTES_PER_LIST
        + _SMALL_FILES_BYTES
    )
    spooled = images * (4 * request.dimension + ROW_SIZE) + texts_bytes
    swap_bytes = 2 * memory_bytes + images * _LOADING_BYTES + _LOADING_BUFFERS
    machines, least_shards = _machines(request, swap_bytes)
    return Plan(
        kind=kind,
        images=images,
        lists=lists,
        vectors_bytes=vectors_bytes,
        codes_bytes=codes_bytes,
        rows_bytes=rows_bytes,
        texts_bytes=texts_bytes,
        lookup_bytes=lookup_bytes,
        memory_bytes=memory_bytes,
        swap_bytes=swap_bytes,
        disk_bytes=disk_bytes,
        build_disk_bytes=disk_bytes + spooled,
        total_memory_bytes=memory_bytes * request.shards * request.replicas,
        total_disk_bytes=disk_bytes * request.shards,
        machines=machines,
        least_shards=least_shards,
        recall=1.0 if kind is IndexKind.EXACT else request.recall,
        explanation=_explanation(request, kind, lists, images),
    )


def _machines(request: PlanRequest, swap_bytes: int) -> tuple[int, int]:
    """(machines for all shards and replicas, or 0 when none holds a shard; the fewest shards that fit)."""
    usable = int(request.machine_bytes * _USABLE_MEMORY)
    least = math.ceil(swap_bytes * request.shards / usable)
    if swap_bytes > usable:
        return 0, least
    a_machine = usable // swap_bytes
    # Replicas of one shard on one machine would fall together.
    return max(request.replicas, math.ceil(request.shards * request.replicas / a_machine)), min(least, request.shards)


_CODES = {
    IndexKind.IVF_PCA: "the numbers with most of the energy",
    IndexKind.IVF_SQ8: "8 bits a number",
    IndexKind.IVF_PQ: "product quantisation",
}


def _explanation(request: PlanRequest, kind: IndexKind, lists: int, images: int) -> str:
    if kind is IndexKind.EXACT:
        return (
            "exact compares every vector: recall is 1 by construction, and a query's cost grows with the images of a "
            f"shard; up to about {EXACT_BELOW:,} that takes a few milliseconds."
        )
    if kind.coded:
        sort = _CODES[kind]
        return (
            f"{kind.value} scans codes of {code_bytes(kind, request.dimension)} bytes ({sort}) in {lists:,} lists of "
            f"about {images // lists:,} and ranks the best of them again by their stored vectors: "
            "scores are exact, and what it misses is neighbours in lists not probed or whose codes hide them. The "
            f"build measures both with up to {MEASURED_QUERIES} held-back vectors and takes the least nprobe that "
            f"reaches {request.recall:g} @{RECALL_AT}, or what all lists reach where codes lose more than that; nprobe "
            "and the recall found go into the manifest."
        ) + (" The vectors stay on disk: give the page cache room for them, or an SSD." if kind.mapped else "")
    error = math.sqrt(request.recall * (1 - request.recall) / (MEASURED_QUERIES * RECALL_AT))
    return (
        f"ivf_flat keeps whole vectors in {lists:,} lists of about {images // lists:,} and compares, exactly, those of "
        "the nprobe lists nearest to the query; neighbours in other lists are what it misses. The build measures that "
        f"with up to {MEASURED_QUERIES} held-back vectors against exact search and takes the least nprobe that reaches "
        f"{request.recall:g} @{RECALL_AT} (sampling error about {error:.3f}); nprobe and the recall found go into the "
        "manifest. Clustered pictures need few lists, scattered ones many: only the build can tell."
    )
