"""Where everything of one system lies: the folders and files below its home, each named here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from schemas.access.objects import CopiedPlace, FullIndexes, ObjectPlace


@dataclass(frozen=True, slots=True)
class Layout:
    """All paths of one system. Nothing outside of `home` is ever written, but for full indexes that machines share.

    `full_indexes`: where the full indexes are when they are not in `home`.
    """

    home: Path
    full_indexes: Path | ObjectPlace | None = None

    @property
    def run(self) -> Path:
        """Process records: one JSON file per started process."""
        return self.home / "run"

    @property
    def parts(self) -> Path:
        """What is to run: one JSON file per part (`cli/runtime/parts.py`)."""
        return self.run / "parts"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def kafka(self) -> Path:
        return self.home / "kafka"

    @property
    def flink(self) -> Path:
        return self.home / "flink"

    @property
    def flink_conf(self) -> Path:
        return self.flink / "conf"

    @property
    def flink_key(self) -> Path:
        """The key that changes to Flink must carry, see `cli.runtime.flink.access.flink_key`."""
        return self.flink / "key"

    @property
    def job_plan(self) -> Path:
        """The streaming job as it was last planned (`jobs/realtime_index/kept_plan.py`)."""
        return self.flink / "job-plan"

    @property
    def extraction_plan(self) -> Path:
        """The same of extraction, where it is a job of its own."""
        return self.flink / "extraction-plan"

    @property
    def kafka_secrets(self) -> Path:
        """What Flink's own clients need to get into Kafka (`jobs/pipeline/flink/kafka_properties.py`)."""
        return self.flink / "kafka-secrets.properties"

    @property
    def log_epoch(self) -> Path:
        """The epoch of `product-events` (`schemas/log_epoch.py`)."""
        return self.home / "log-epoch.json"

    @property
    def catalogue_recorded(self) -> Path:
        """That every product is in `catalogue-records` (`jobs/realtime_index/recorded.py`)."""
        return self.home / "catalogue-recorded.json"

    @property
    def catalogue_store(self) -> Path:
        return self.home / "stores" / "catalogue"

    @property
    def feature_store(self) -> Path:
        return self.home / "stores" / "features"

    @property
    def generations(self) -> FullIndexes:
        """Full indexes and their alias (`generations/folder.py`)."""
        if isinstance(self.full_indexes, ObjectPlace):
            return CopiedPlace(self.full_indexes, self.home / "copied-generations")
        return self.home / "generations" if self.full_indexes is None else self.full_indexes

    @property
    def shards(self) -> Path:
        """Searchers' snapshots: `<shard>-<replica>/<generation>/snapshot`."""
        return self.home / "shards"

    def shard_folder(self, shard: int, replica: int = 0, generation: str = "live") -> Path:
        """Where a searcher keeps its snapshot of a generation ("live": grown without a full index)."""
        return self.shards / f"{shard}-{replica}" / generation

    @property
    def recorded_queries(self) -> Path:
        """The broker's sample of query vectors, a file by extractor."""
        return self.home / "recorded-queries"

    @property
    def recorded_photos(self) -> Path:
        """Blenders' samples of the photos asked with, as base features: `<port>/<extractor id>.npy`."""
        return self.home / "recorded-photos"

    @property
    def looks(self) -> Path:
        """What shipped priors come to, kept since it takes a moment to compute (`indexing/look/first.py`)."""
        return self.home / "looks"

    @property
    def encoder(self) -> Path:
        """The encoder that the home was last started with (`schemas/features/of_home.py`)."""
        return self.home / "encoder.json"

    @property
    def replay(self) -> Path:
        """Replays: position, base, reports (`jobs/full_index/replay/position.py`)."""
        return self.home / "replay"

    @property
    def build(self) -> Path:
        """Builds under way, and the name of the last (`jobs/full_index/build/folder.py`)."""
        return self.home / "build"

    @property
    def imports(self) -> Path:
        """What was imported, and what imports refused."""
        return self.home / "imports"

    @property
    def sample(self) -> Path:
        """The drawn catalogue of `vitrine run`."""
        return self.home / "sample"

    @property
    def allowed_folders(self) -> Path:
        """Folders that file URLs may lie below, one absolute path a line, appended to by `vitrine import`."""
        return self.home / "allowed-folders.txt"

    @property
    def api_keys(self) -> Path:
        """The keys of `vitrine keys`, where no setting names another file."""
        return self.home / "api-keys.json"

    def make(self) -> None:
        """The folders that processes are started in."""
        for folder in (self.home, self.run, self.parts, self.logs, self.kafka, self.flink_conf):
            folder.mkdir(parents=True, exist_ok=True)
