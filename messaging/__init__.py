"""The Kafka log: the one home of the Kafka clients.

`producer` and `consumer` speak through librdkafka (confluent-kafka), the hot
path; `admin` creates and describes topics. See docs/adr for why two clients.
"""
