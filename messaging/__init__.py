"""The Kafka log: the one home of the Kafka clients.

`producer` and `consumer` speak through librdkafka (confluent-kafka), the hot
path; `admin` creates and describes topics, `replication` tells how many brokers
have them; `java` is for Kafka's own client, Flink's and that of Kafka's tools.
See docs/adr for why two clients.
"""
