"""Puts a job on the task managers that take it and nothing else.

Flink's fine-grained resource management: a task manager offers an external
resource by the job's key (`cli/runtime/flink/parts.py`), a unit for each of
its slots, and every slot of the job asks for one. So nothing else of a slot's
profile decides; it must name processor and heap all the same.
"""

from __future__ import annotations

from pyflink.datastream import SlotSharingGroup, StreamExecutionEnvironment

from jobs.realtime_index.stream_jobs import StreamJob

_DEFAULT = "default"
"""Flink's name of the group of all operators that are given none, as the SQL planner's are."""
_CORES = 1.0
_HEAP_MB = 1
"""Only counted: tasks share their JVM's heap. Network memory is Flink's to add, and of managed memory none is used."""


def place(environment: StreamExecutionEnvironment, job: StreamJob) -> None:
    """Call it before the graph is made."""
    group = SlotSharingGroup.builder(_DEFAULT)
    group = group.set_cpu_cores(_CORES).set_task_heap_memory_mb(_HEAP_MB).set_external_resource(job.key, 1.0)
    environment.register_slot_sharing_group(group.build())
