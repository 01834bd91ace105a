"""The checks of what a generation holds: its files, its digest, its images and its recall."""

from __future__ import annotations

from collections.abc import Callable

from generations.broker import replicas_of
from generations.folder import Generations
from schemas.errors import CorruptError
from schemas.full_index.generation import Generation
from schemas.full_index.publish_report import PublishCheck
from schemas.search_pb2 import StatusResponse

FILES = "files"
DIGEST = "digest"
COUNT_CATALOGUE = "count_catalogue"
COUNT_SERVING = "count_serving"
RECALL = "recall"
DELTAS = "deltas"
OVERLAP = "overlap"

NO_BROKER = "{}; vitrine start starts the broker, --force publishes without this check"
_ROUNDING = 1e-9


def check_files(
    generations: Generations, name: str, read: Callable[[int], None] = lambda _: None
) -> tuple[PublishCheck, Generation | None]:
    """Every file against its checksum; the generation, unless its own manifest was altered. `read`: gets bytes read."""
    try:
        generation = generations.read(name)
    except (CorruptError, OSError) as error:
        return PublishCheck(name=FILES, passed=False, detail=str(error)), None
    try:
        generations.verify(name, read)
    except (CorruptError, OSError) as error:
        return PublishCheck(name=FILES, passed=False, detail=f"{error}: build anew"), generation
    return PublishCheck(name=FILES, passed=True, detail=f"{generation.bytes} bytes as they were written"), generation


def check_digest(generation: Generation) -> PublishCheck:
    """The shards as their files have them against what the catalogue's records say."""
    built = [shard.digest for shard in generation.shards]
    expected = generation.catalogue_digests
    if len(built) != len(expected):
        detail = f"{len(built)} shards, but the catalogue's digest is of {len(expected)}: build anew"
        return PublishCheck(name=DIGEST, passed=False, detail=detail)
    wrong = [number for number, pair in enumerate(zip(built, expected, strict=True)) if pair[0] != pair[1]]
    if wrong:
        number = wrong[0]
        detail = (
            f"shards {wrong} do not hold the catalogue's images (shard {number} has {built[number][:12]}, "
            f"the catalogue {expected[number][:12]}): build anew, and report it if that does not help"
        )
        return PublishCheck(name=DIGEST, passed=False, detail=detail)
    return PublishCheck(name=DIGEST, passed=True, detail=f"{len(built)} shards hold what the catalogue did")


def check_count_catalogue(generation: Generation, least: float) -> PublishCheck:
    """Images that can be found, of those that the catalogue has on sale; the rest have no vector yet."""
    found, valid = generation.searchable, generation.catalogue_valid
    part = found / valid if valid else 1.0
    return _compare(
        COUNT_CATALOGUE, part, least, f"{found} of {valid} images of the catalogue",
        "vitrine replay requests missing vectors, vitrine dead-letters list says why they are missing",
    )  # fmt: skip


def check_count_serving(generation: Generation, status: StatusResponse, least: float) -> PublishCheck:
    """Images that can be found, against the index that serves now."""
    replicas = replicas_of(status, status.serving)
    ready = {shard: [entry for entry in entries if entry.ready] for shard, entries in replicas.items()}
    shards = max((entry.shards for entries in replicas.values() for entry in entries), default=0)
    silent = [shard for shard in range(shards) if not ready.get(shard)]
    if silent or not shards:
        detail = f"shards {silent} of {status.serving} do not answer" if shards else "no generation serves"
        return PublishCheck(
            name=COUNT_SERVING, passed=False, threshold=least,
            detail=f"{detail}, so nothing says how many images there should be; vitrine status says why, vitrine start "
            "starts searchers that have ended",
        )  # fmt: skip
    serving = sum(entries[0].searchable for entries in ready.values())
    part = generation.searchable / serving if serving else 1.0
    text = f"count {generation.searchable}, {status.serving} has {serving}"
    return _compare(
        COUNT_SERVING, part, least, text,
        "was the catalogue emptied? If that is meant: --force, or lower VITRINE_PUBLISH_MIN_OF_SERVING",
    )  # fmt: skip


def check_recall(generation: Generation, least: float) -> PublishCheck:
    """What the build measured against exact search, in the worst shard."""
    recalls = [shard.recall for shard in generation.shards]
    worst = min(range(len(recalls)), key=recalls.__getitem__)
    return _compare(
        RECALL, recalls[worst], least, f"@10, least in shard {worst}",
        "build with a higher --recall, fewer --lists or another --kind",
    )  # fmt: skip


def no_broker(name: str, problem: str, threshold: float | None) -> PublishCheck:
    """A check that needs the serving side, without one."""
    return PublishCheck(name=name, passed=False, threshold=threshold, detail=NO_BROKER.format(problem))


def _compare(name: str, value: float, threshold: float, text: str, advice: str) -> PublishCheck:
    passed = value >= threshold - _ROUNDING
    return PublishCheck(
        name=name, passed=passed, value=value, threshold=threshold, detail=text if passed else f"{text}: {advice}"
    )
