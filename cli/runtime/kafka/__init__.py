"""A Kafka broker (KRaft) of ours, from Maven's jars: the only one, or one of several on a machine each.

Begin with `part`, which is what starts; `properties` is its configuration, `joining` which folders it may start on,
`reassigning` has Kafka's own tool bring topics to further brokers.
"""

from cli.runtime.kafka.part import NAME, broker_part, format_storage
from cli.runtime.kafka.properties import server_properties

__all__ = ["NAME", "broker_part", "format_storage", "server_properties"]
