"""What the streaming job needs for a rate of events: partitions, subtasks, task managers.

By the figures measured on one core of an AMD EPYC (docs/capacity.md); beyond
one machine they are multiplied, and were not measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

EVENTS_PER_SUBTASK = 8_000
"""A worker takes 13,000 events a second; the peak hour is planned at 60 % of that."""
_EVENT_CORE_S = 60e-6
_NEW_IMAGE_CORE_S = 7e-3
_FIXED_CORES = 0.8
_USABLE_CORES = 0.6
"""Part of a machine's cores that may be busy in the peak hour, so that another's share can be taken over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRequest:
    """`events_per_s`: of the peak hour, changed prices mostly. `new_images`: the part of them that brings a picture
    that was never seen. `machine_cores`: of one task manager's machine."""

    events_per_s: int
    new_images: float = 0.008
    machine_cores: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPlan:
    """`partitions`: of `product-events`, with room to grow, since fewer there can never be. `subtasks`: the setting
    `parallelism`; powers of two, so that each subtask has as many partitions. Cores: of all task managers together."""

    partitions: int
    subtasks: int
    task_managers: int
    slots: int
    stream_cores: float
    extraction_cores: float


def plan_stream(request: StreamRequest) -> StreamPlan:
    """Two task managers at least, as each has to be able to run all of the job while another is away."""
    subtasks = 2 ** math.ceil(math.log2(max(1, math.ceil(request.events_per_s / EVENTS_PER_SUBTASK))))
    stream = _FIXED_CORES + request.events_per_s * _EVENT_CORE_S
    extraction = request.events_per_s * request.new_images * _NEW_IMAGE_CORE_S
    machines = max(2, math.ceil((stream + extraction) / (_USABLE_CORES * request.machine_cores)) + 1)
    return StreamPlan(
        partitions=max(4, 2 * subtasks),
        subtasks=subtasks,
        task_managers=machines,
        slots=math.ceil(subtasks / (machines - 1)),
        stream_cores=round(stream, 1),
        extraction_cores=round(extraction, 1),
    )
