"""The commands of `vitrine`: each module has NAME, `add_arguments(parser)` and `run(arguments) -> exit code`."""

from __future__ import annotations

from types import ModuleType

from cli.commands import (
    alias,
    backup,
    build,
    dead_letters,
    duplicates,
    erased,
    import_,
    keys,
    plan,
    produce,
    publish,
    rebuild,
    rebuild_features,
    replay,
    report,
    restore,
    run,
    search,
    start,
    status,
    stop,
    submit,
)

COMMANDS: tuple[ModuleType, ...] = (
    run, start, stop, status, import_, produce, search, dead_letters, submit, rebuild, rebuild_features, backup,
    restore, replay, build, publish, alias, plan, keys, erased, duplicates, report,
)  # fmt: skip
