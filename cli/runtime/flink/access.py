"""Where a Flink is, and the key that changes to ours must carry."""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass

from cli.runtime.programs import LOOPBACK
from schemas.layout import Layout
from schemas.settings import Settings

KEY_HEADER = "X-Vitrine-Key"


def flink_key(layout: Layout) -> str:
    """What a request must carry to change anything at the Flink of this home; made once, for its owner's eyes alone."""
    file = layout.flink_key
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(secrets.token_hex(32))
        # Whole from its first moment, and another command's key, made meanwhile, stays.
        with contextlib.suppress(FileExistsError):
            file.hardlink_to(draft)
        draft.unlink()
    return file.read_text().strip()


@dataclass(frozen=True, slots=True)
class FlinkAccess:
    """Where a Flink is, host:port, and whose key opens what changes it: that of `ours`, of another Flink none."""

    address: str
    ours: Layout | None = None

    @classmethod
    def of(cls, settings: Settings, at: str | None = None) -> FlinkAccess:
        """The one at host:port `at`, by default the one that we run."""
        return cls(f"{LOOPBACK}:{settings.flink_port}", settings.layout) if at is None else cls(at)

    def headers(self) -> dict[str, str]:
        """What a request that changes something carries."""
        return {} if self.ours is None else {KEY_HEADER: flink_key(self.ours)}
