"""Which brokers a topic is brought to, and what is said of one that has too few."""

from __future__ import annotations

from collections import Counter

import pytest

from messaging.admin import replicated
from messaging.replication import Replication, further_replicas, replicas_behind, too_few_replicas
from schemas.errors import OperatorError


def on_one(partitions: int, broker: int = 1) -> Replication:
    return Replication(((broker,),) * partitions, ((broker,),) * partitions)


def test_who_has_it_keeps_it_and_all_lead_alike() -> None:
    plan = further_replicas({"a": on_one(6)}, [1, 2, 3], 3)
    assert [set(partition) for partition in plan["a"]] == [{1, 2, 3}] * 6
    assert Counter(partition[0] for partition in plan["a"]) == {1: 2, 2: 2, 3: 2}


def test_further_replicas_go_to_who_has_the_fewest() -> None:
    plan = further_replicas({"a": on_one(4), "b": on_one(4, 2)}, [1, 2, 3, 4], 2)
    assert all(1 in partition for partition in plan["a"])
    assert all(2 in partition for partition in plan["b"])
    given = Counter(broker for topic in plan.values() for partition in topic for broker in partition)
    assert given == {1: 4, 2: 4, 3: 4, 4: 4}


def test_topic_that_has_enough_is_left_alone() -> None:
    whole = Replication(((1, 2, 3),), ((1, 2, 3),))
    assert further_replicas({"a": whole, "b": on_one(1)}, [1, 2, 3], 3).keys() == {"b"}


def test_more_replicas_than_brokers_are_refused_with_those_that_answer() -> None:
    with pytest.raises(OperatorError, match=r"says 3, and 2 of Kafka's brokers answer \(1, 2\).*REPLICAS"):
        further_replicas({"a": on_one(1)}, [1, 2], 3)


def test_what_has_too_few_is_named_with_the_command() -> None:
    assert too_few_replicas({"a": on_one(2)}, 0) == []
    (line,) = too_few_replicas({"a": on_one(2), "b": on_one(1)}, 3)
    assert line.startswith("a, b: 1 replica, and kafka_replicas says 3: vitrine replicate")


def test_replica_that_is_away_and_partition_that_nobody_leads_are_counted() -> None:
    topic = Replication(((1, 2, 3), (2, 3, 1), (3, 1, 2)), ((1, 2, 3), (3, 1), ()))
    (line,) = replicas_behind({"a": topic})
    assert line.startswith("2 of 3 partitions lack a replica that is up to date")
    assert replicas_behind({"a": on_one(3)}) == []


@pytest.mark.parametrize(("replicas", "in_sync"), [(1, "1"), (2, "1"), (3, "2")])
def test_one_may_be_away_and_the_last_one_not(replicas: int, in_sync: str) -> None:
    assert replicated(replicas) == {"min.insync.replicas": in_sync}
