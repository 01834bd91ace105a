"""Say what an index of a given size needs, and a rate of events: memory, disk, machines, the recall to expect.

Nothing runs and nothing is read but the settings (for shards and replicas).
Memory and disk are those of a finished build; deltas add to them until the
next one.
"""

from __future__ import annotations

import argparse
import json
import textwrap

import msgspec

from cli.tables import table
from indexing.lists.kinds import IndexKind
from indexing.plan import Plan, PlanRequest, make_plan
from jobs.realtime_index.capacity import StreamPlan, StreamRequest, plan_stream
from schemas.errors import OperatorError
from schemas.settings import load_settings

NAME = "plan"

_GIB = 1 << 30


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=int, metavar="N", help="images on sale, all shards together")
    parser.add_argument("--dimensions", type=int, metavar="D", help="numbers in a vector")
    parser.add_argument("--events", type=int, metavar="E", help="product events a second, in the peak hour")
    parser.add_argument(
        "--new-images", type=float, default=0.008, metavar="P", help="part of them with a picture never seen (0.008)"
    )
    parser.add_argument(
        "--machine-cores", type=int, default=8, metavar="C", help="cores of a task manager's machine (default 8)"
    )
    parser.add_argument(
        "--kind", choices=[kind.value for kind in IndexKind], help="default: from the images of a shard"
    )
    parser.add_argument("--shards", type=int, metavar="S", help="default: the setting")
    parser.add_argument("--replicas", type=int, metavar="R", help="default: the setting")
    parser.add_argument("--lists", type=int, metavar="L", help="inverted lists of a shard (default: from its images)")
    parser.add_argument("--recall", type=float, default=0.99, help="recall @10 wanted (default 0.99)")
    parser.add_argument("--headroom", type=float, default=0.25, help="free part of a list for deltas (default 0.25)")
    parser.add_argument(
        "--text-bytes", type=int, default=250, metavar="B", help="product id, URL and attributes of an image (250)"
    )
    parser.add_argument(
        "--machine-memory", type=float, default=16, metavar="GIB", help="memory of one machine, in GiB (default 16)"
    )
    parser.add_argument("--json", action="store_true", help="the plan as one JSON object")


def run(arguments: argparse.Namespace) -> int:
    stream = None if arguments.events is None else plan_of_stream(arguments)
    if stream is not None and not arguments.json:
        print(stream_text(stream, arguments) + "\n")
    if stream is not None and arguments.images is None:
        if arguments.json:
            print(json.dumps({"stream": msgspec.to_builtins(stream)}, indent=2))
        return 0
    if arguments.images is None or arguments.dimensions is None:
        raise OperatorError("say what is planned for: --images and --dimensions, or --events, or all of them")
    settings = load_settings()
    shards = settings.shards if arguments.shards is None else arguments.shards
    replicas = settings.replicas if arguments.replicas is None else arguments.replicas
    request = PlanRequest(
        images=arguments.images,
        dimension=arguments.dimensions,
        shards=shards,
        replicas=replicas,
        kind=None if arguments.kind is None else IndexKind(arguments.kind),
        nlist=arguments.lists,
        recall=arguments.recall,
        headroom=arguments.headroom,
        text_bytes=arguments.text_bytes,
        machine_bytes=int(arguments.machine_memory * _GIB),
    )
    plan = make_plan(request)
    if arguments.json:
        of_stream = {} if stream is None else {"stream": msgspec.to_builtins(stream)}
        print(json.dumps(msgspec.to_builtins(plan) | of_stream, indent=2))
    else:
        print(plan_text(plan, request))
    return 0 if plan.machines else 1


def plan_of_stream(arguments: argparse.Namespace) -> StreamPlan:
    """What the streaming job needs. Raises `OperatorError` for a rate that is none."""
    if arguments.events < 1 or not 0 <= arguments.new_images <= 1 or arguments.machine_cores < 1:
        raise OperatorError("--events and --machine-cores are 1 or more, --new-images is from 0 to 1")
    return plan_stream(
        StreamRequest(
            events_per_s=arguments.events, new_images=arguments.new_images, machine_cores=arguments.machine_cores
        )
    )


def stream_text(plan: StreamPlan, arguments: argparse.Namespace) -> str:
    """The same for a person."""
    rows = [
        ("partitions of product-events (VITRINE_EVENT_PARTITIONS)", f"{plan.partitions}"),
        ("subtasks (VITRINE_PARALLELISM)", f"{plan.subtasks}"),
        ("task managers, one of them to spare", f"{plan.task_managers}"),
        ("slots of each (VITRINE_TASK_SLOTS)", f"{plan.slots}"),
        ("cores busy with the stream", f"{plan.stream_cores:g}"),
        ("cores busy with new pictures", f"{plan.extraction_cores:g}"),
    ]
    return "\n".join(
        [
            f"{arguments.events:,} events a second, task managers of {arguments.machine_cores} cores:",
            "",
            table(("of the streaming job", "number"), rows),
            "",
            "One machine was measured (docs/capacity.md); this is its figures, multiplied.",
        ]
    )


def plan_text(plan: Plan, request: PlanRequest) -> str:
    """The plan for a person."""
    rows = [
        (f"vectors, free space included{' (on disk alone)' if plan.kind.mapped else ''}", size(plan.vectors_bytes)),
        ("codes", size(plan.codes_bytes)),
        ("rows", size(plan.rows_bytes)),
        ("texts", size(plan.texts_bytes)),
        ("look-up tables and centroids", size(plan.lookup_bytes)),
        ("memory", size(plan.memory_bytes)),
        ("memory while a new generation is loaded beside it", size(plan.swap_bytes)),
        ("disk", size(plan.disk_bytes)),
        ("disk while it is built", size(plan.build_disk_bytes)),
    ]
    copies = f"{request.shards} x {request.replicas} (shards x replicas)"
    if plan.machines:
        machine = size(request.machine_bytes)
        fit = f"Machines of {machine} that hold them, also while a new generation is loaded: {plan.machines}."
    else:
        fit = (
            f"No shard fits: machines of {size(request.machine_bytes)} need at least {plan.least_shards} shards; "
            "set VITRINE_SHARDS or --shards."
        )
    return "\n".join(
        [
            f"{request.images:,} images x {request.dimension}, {copies}: {plan.images:,} images a shard, "
            f"{plan.kind.value}, {plan.lists:,} lists",
            "",
            table(("of one shard", "size"), rows),
            "",
            f"All searchers: {size(plan.total_memory_bytes)} of memory; a generation: {size(plan.total_disk_bytes)} of "
            "disk.",
            fit,
            "",
            f"Expected recall@10: {plan.recall:g}",
            textwrap.fill(plan.explanation, 110),
        ]
    )


def size(count: int) -> str:
    """`1.5 GiB`: the largest unit of which there is one."""
    for unit, name in ((1 << 40, "TiB"), (_GIB, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if count >= unit:
            return f"{count / unit:,.1f} {name}"
    return f"{count} B"
