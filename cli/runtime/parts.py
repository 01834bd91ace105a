"""What a part of the system is, and which parts are wanted: one file each in `run/parts`, gone once it is stopped.

The supervisor's configuration is made from these files, so that one which
was killed and starts anew runs the same parts with the same settings.
"""

from __future__ import annotations

import os

import msgspec

from schemas.errors import OperatorError
from schemas.layout import Layout

STOP_S = 20
"""For a process to end by itself after SIGTERM; then it is killed."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One supervised process. `environment`: over that of the supervisor, which all parts share."""

    name: str
    command: list[str]
    environment: dict[str, str]


def want(layout: Layout, part: Part) -> bool:
    """Notes that `part` is to run. False: it was noted just so before. The file is readable by its owner alone."""
    file = layout.parts / f"{part.name}.json"
    content = msgspec.json.encode(part)
    if file.exists() and file.read_bytes() == content:
        return False
    temporary = file.with_suffix(".tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as output:
        output.write(content)
    temporary.rename(file)
    return True


def unwant(layout: Layout, name: str) -> None:
    (layout.parts / f"{name}.json").unlink(missing_ok=True)


def wanted(layout: Layout) -> list[str]:
    """Names of the parts that are to run, sorted."""
    return sorted(file.stem for file in layout.parts.glob("*.json"))


def read_part(layout: Layout, name: str) -> Part:
    """Raises `OperatorError` when it is not wanted or its file is not readable."""
    file = layout.parts / f"{name}.json"
    try:
        return msgspec.json.decode(file.read_bytes(), type=Part)
    except (FileNotFoundError, msgspec.MsgspecError) as error:
        raise OperatorError(
            f"{file} is not readable ({error}): vitrine stop, then vitrine start makes it anew"
        ) from error
