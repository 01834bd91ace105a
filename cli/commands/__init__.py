"""The commands of `vitrine`: each module has NAME, `add_arguments(parser)` and `run(arguments) -> exit code`."""

from __future__ import annotations

from types import ModuleType

from cli.commands.catalogue import dead_letters, duplicates, erased, import_, produce, report, search
from cli.commands.index import alias, backup, build, publish, rebuild, rebuild_features, repartition, replay, restore
from cli.commands.system import keys, part, plan, replicate, run, start, status, stop, submit

COMMANDS: tuple[ModuleType, ...] = (
    run, start, stop, status, import_, produce, search, dead_letters, submit, rebuild, rebuild_features, repartition,
    replicate, backup,
    restore, replay, build, publish, alias, plan, keys, erased, duplicates, report, part,
)  # fmt: skip
